package daemon

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/moatd/moatd/pkg/internal/store"
)

// A RunPersister keeps the runs of a registry on disk. It is safe for concurrent
// use.
//
// The server stores each change of a run by itself, before it answers. Save,
// SaveDebounced and Flush are for programs that change the registry directly.
type RunPersister struct {
	registry *Registry
	runs     runStore
	sealer   Sealer // nil: rules that may hold a secret are not kept

	mu    sync.Mutex
	timer *time.Timer // guarded by mu; of SaveDebounced, nil while nothing is due
}

// runStore keeps records by run id. What a method that returns nil has done
// survives a power cut.
type runStore interface {
	PutRun(id string, val []byte) error
	DeleteRun(id string) error
	ReplaceRuns(runs map[string][]byte) error
	Runs() ([]store.Record, error)
}

// debounce is how long SaveDebounced waits for further changes.
const debounce = 500 * time.Millisecond

// NewRunPersister returns a persister that keeps the registry's runs in the file
// at path, which is open only while it is used. It keeps no secret: credentials
// that a run was registered with are lost unless its grants find them again.
func NewRunPersister(path string, registry *Registry) *RunPersister {
	return &RunPersister{registry: registry, runs: runFile{path}}
}

// NewStorePersister returns a persister that keeps the runs in an open store,
// and the rules they were registered with sealed by s.
func NewStorePersister(st *store.Store, s Sealer, registry *Registry) *RunPersister {
	return &RunPersister{registry: registry, runs: st, sealer: s}
}

// put stores one run, durably.
func (p *RunPersister) put(rc *RunContext) error {
	if p == nil {
		return nil // a server without a persister keeps nothing
	}
	val, err := encode(rc, p.sealer)
	if err != nil {
		return err
	}
	return p.runs.PutRun(rc.RunID, val)
}

// remove removes one run, durably.
func (p *RunPersister) remove(runID string) error {
	if p == nil {
		return nil
	}
	return p.runs.DeleteRun(runID)
}

// Save makes the file hold the runs of the registry, in one step that survives
// a power cut. Records that cannot be read stay.
func (p *RunPersister) Save() error {
	vals := make(map[string][]byte)
	stored, err := p.runs.Runs()
	if err != nil {
		return err
	}
	for _, rec := range stored {
		if _, bad := decode(rec.Val); bad != nil {
			vals[rec.ID] = rec.Val
		}
	}
	for _, rc := range p.registry.List() {
		if _, twice := vals[rc.RunID]; twice {
			return fmt.Errorf("save the runs: %s is registered twice, or a damaged record has its id", rc.RunID)
		}
		if vals[rc.RunID], err = encode(rc, p.sealer); err != nil {
			return err
		}
	}
	return p.runs.ReplaceRuns(vals)
}

// SaveDebounced saves a moment later, once for many calls. An error is reported
// by the next Flush.
func (p *RunPersister) SaveDebounced() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		p.timer = time.AfterFunc(debounce, func() { _ = p.Flush() }) // Flush tries again and has the error
	}
}

// Flush saves now, and ends the wait of SaveDebounced.
func (p *RunPersister) Flush() error {
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	return p.Save()
}

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
	}
	return runs, err
}

func (p *RunPersister) load() ([]record, error) {
	stored, err := p.runs.Runs()
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	recs := make([]record, 0, len(stored))
	var errs []error
	for _, s := range stored {
		rec, err := decode(s.Val)
		if err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", s.ID, err))
			continue
		}
		recs = append(recs, rec)
	}
	return recs, errors.Join(errs...)
}
