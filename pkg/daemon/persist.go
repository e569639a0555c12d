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

	// saving is held for reading while a change is on its way to disk and to the
	// registry, for writing by Save, which must see both alike.
	saving sync.RWMutex

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
	return &RunPersister{registry: registry, runs: &runFile{path: path}}
}

// NewStorePersister returns a persister that keeps the runs in an open store,
// and the rules they were registered with sealed by s.
func NewStorePersister(st *store.Store, s Sealer, registry *Registry) *RunPersister {
	return &RunPersister{registry: registry, runs: st, sealer: s}
}

// change begins a change of one run and returns what ends it.
func (p *RunPersister) change() (done func()) {
	if p == nil {
		return func() {}
	}
	p.saving.RLock()
	return p.saving.RUnlock
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
// a power cut. Records that cannot be read stay, unless a run has their id.
func (p *RunPersister) Save() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	vals := make(map[string][]byte)
	for _, rc := range p.registry.List() {
		if _, twice := vals[rc.RunID]; twice {
			return fmt.Errorf("save the runs: %s is registered twice", rc.RunID)
		}
		val, err := encode(rc, p.sealer)
		if err != nil {
			return err
		}
		vals[rc.RunID] = val
	}
	stored, err := p.runs.Runs()
	if err != nil && !errors.Is(err, errDamaged) {
		return err
	}
	for _, rec := range stored {
		_, bad := decodeRecord(rec)
		if _, newer := vals[rec.ID]; bad != nil && !newer {
			vals[rec.ID] = rec.Val
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
