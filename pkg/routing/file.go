package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/moatd/moatd/pkg/internal/store"
)

// file is a database that is open only for the moment of each operation.
type file struct {
	path string
	mu   *sync.Mutex // held while the file is open: two openings would wait for each other's lock
}

func newFile(dir string) file {
	return file{filepath.Join(dir, "routes.db"), new(sync.Mutex)}
}

// with calls fn with the open database.
func (f file) with(fn func(*store.Store) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("open the routes: %w", err)
	}
	st, _, err := store.Open(f.path, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(fn(st), st.Close())
}

// PutRoutes implements [Store].
func (f file) PutRoutes(agent string, val []byte) error {
	return f.with(func(st *store.Store) error { return st.PutRoutes(agent, val) })
}

// DeleteRoutes implements [Store].
func (f file) DeleteRoutes(agent string) error {
	return f.with(func(st *store.Store) error { return st.DeleteRoutes(agent) })
}

// Routes implements [Store]; without a file there are none. It creates nothing.
func (f file) Routes() (recs []store.Record, err error) {
	if _, err = os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = f.with(func(st *store.Store) error {
		recs, err = st.Routes()
		return err
	})
	return recs, err
}

// Import takes over routes.json of an older program in dir, if there is one, and
// renames it to routes.json.imported. It is an object of agents, each an object
// of addresses by service. Agents that are in the table already stay as they
// are. The error names those that make no routes; the others are there. Where the
// table could not be written, the file keeps its name, for the next start.
func (t *RouteTable) Import(dir string) error {
	path := filepath.Join(dir, "routes.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the old routes: %w", err)
	}
	var agents map[string]map[string]string
	if err := json.Unmarshal(data, &agents); err != nil {
		return fmt.Errorf("read the old routes: %s is no JSON of agents and services", path)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		if _, have := t.Agent(name); have {
			continue
		}
		err := t.Add(name, agents[name])
		if err != nil && !errors.Is(err, ErrInvalid) {
			return fmt.Errorf("take over the old routes: %w", err)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("old routes of %.100q: %w", name, err))
		}
	}
	if err := os.Rename(path, path+".imported"); err != nil {
		errs = append(errs, fmt.Errorf("set the old file of routes aside: %w", err))
	}
	return errors.Join(errs...)
}
