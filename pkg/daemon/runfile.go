package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/moatd/moatd/pkg/internal/store"
)

// runFile is a database that is open only for the moment of each operation. It
// implements runStore.
type runFile struct{ path string }

// with calls fn with the open database.
func (f runFile) with(fn func(*store.Store) error) error {
	if err := f.setAside(); err != nil {
		return err
	}
	st, _, err := store.Open(f.path, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(fn(st), st.Close())
}

func (f runFile) PutRun(id string, val []byte) error {
	return f.with(func(st *store.Store) error { return st.PutRun(id, val) })
}

func (f runFile) DeleteRun(id string) error {
	return f.with(func(st *store.Store) error { return st.DeleteRun(id) })
}

func (f runFile) ReplaceRuns(runs map[string][]byte) error {
	return f.with(func(st *store.Store) error { return st.ReplaceRuns(runs) })
}

// Runs returns the records; none if there is no file. It creates nothing.
func (f runFile) Runs() (recs []store.Record, err error) {
	data, err := f.json()
	if err != nil {
		return nil, err
	}
	if data != nil {
		return legacyRecords(data)
	}
	if _, err = os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = f.with(func(st *store.Store) error {
		recs, err = st.Runs()
		return err
	})
	return recs, err
}

// json returns the content of the file if it is JSON, as older programs wrote
// it, else nil.
func (f runFile) json() ([]byte, error) {
	data, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	if data = bytes.TrimSpace(data); len(data) > 0 && (data[0] == '{' || data[0] == '[') {
		return data, nil
	}
	return nil, nil
}

// setAside renames a file of JSON before a database takes its place.
func (f runFile) setAside() error {
	data, err := f.json()
	if err != nil || data == nil {
		return err
	}
	if err := os.Rename(f.path, f.path+".imported"); err != nil {
		return fmt.Errorf("set the old file of runs aside: %w", err)
	}
	return nil
}

// legacyRecords returns the records of a file of JSON, in either form.
func legacyRecords(data []byte) ([]store.Record, error) {
	var file struct {
		Version int               `json:"version"`
		Runs    []json.RawMessage `json:"runs"`
	}
	into := any(&file)
	if data[0] == '[' {
		into = &file.Runs
	}
	if err := json.Unmarshal(data, into); err != nil {
		return nil, errors.New("read the runs: the file is no JSON of runs")
	}
	if file.Version > 1 {
		return nil, fmt.Errorf("read the runs: the file has version %d, written by a newer program", file.Version)
	}
	recs := make([]store.Record, len(file.Runs))
	for i, val := range file.Runs {
		var id struct {
			RunID string `json:"run_id"`
		}
		_ = json.Unmarshal(val, &id) // what is no run is reported by decode, under its place in the file
		if recs[i] = (store.Record{ID: id.RunID, Val: val}); id.RunID == "" {
			recs[i].ID = fmt.Sprintf("number %d", i+1)
		}
	}
	return recs, nil
}
