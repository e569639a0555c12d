package daemon

import (
	"errors"
	"fmt"

	"github.com/moatd/moatd/pkg/internal/store"
)

// Load returns the runs on disk; nil, nil if there is no file. It reads the
// database and, for files of older programs, JSON: {"version":1,"runs":[…]} and
// a bare array. Records that cannot be read are named by the error, beside the
// good ones.
func (p *RunPersister) Load() ([]PersistedRun, error) {
	recs, err := p.load()
	if recs == nil {
		return nil, err
	}
	runs := make([]PersistedRun, len(recs))
	for i, rec := range recs {
		runs[i] = rec.PersistedRun
		runs[i].rest = rec.kept
	}
	return runs, err
}

func (p *RunPersister) load() ([]record, error) {
	stored, err := p.runs.Runs()
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, err
	}
	errs := []error{err}
	var recs []record
	for _, s := range stored {
		rec, err := decodeRecord(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", s.ID, err))
			continue
		}
		recs = append(recs, rec)
	}
	return recs, errors.Join(errs...)
}

// decodeRecord reads a record of the store, which must be of the run that it is
// stored under: it is removed by that name.
func decodeRecord(s store.Record) (record, error) {
	rec, err := decode(s.Val)
	if err == nil && rec.RunID != s.ID {
		err = errors.New("the record is of another run")
	}
	return rec, err
}
