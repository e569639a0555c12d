package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/moatd/moatd/pkg/internal/store"
)

// runFile is a database that is open only for the moment of each operation. It
// implements runStore.
type runFile struct {
	path string
	mu   sync.Mutex // held while the file is open: who waits for its lock may wait in vain
}

// with calls fn with the open database, and says what was wrong with it.
func (f *runFile) with(fn func(*store.Store) error) (store.Recovery, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.convert(); err != nil {
		return store.Recovery{}, err
	}
	return withStore(f.path, fn)
}

func withStore(path string, fn func(*store.Store) error) (store.Recovery, error) {
	st, rec, err := store.Open(path, store.Options{})
	if err != nil {
		return rec, err
	}
	return rec, errors.Join(fn(st), st.Close())
}

// PutRun and the methods after it are those of [store.Store].
func (f *runFile) PutRun(id string, val []byte) error {
	_, err := f.with(func(st *store.Store) error { return st.PutRun(id, val) })
	return err
}

func (f *runFile) DeleteRun(id string) error {
	_, err := f.with(func(st *store.Store) error { return st.DeleteRun(id) })
	return err
}

func (f *runFile) ReplaceRuns(runs map[string][]byte) error {
	_, err := f.with(func(st *store.Store) error { return st.ReplaceRuns(runs) })
	return err
}

// Runs returns the records; none if there is no file. It creates nothing. The
// error is errDamaged, beside the records that there are, if some were lost.
func (f *runFile) Runs() (recs []store.Record, err error) {
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
	found, err := f.with(func(st *store.Store) error {
		recs, err = st.Runs()
		return err
	})
	if err == nil && found.Damage != "" {
		err = fmt.Errorf("read the runs: %w: %s", errDamaged, found)
	}
	return recs, err
}

// json returns the content of the file if it is JSON, as older programs wrote
// it, else nil.
func (f *runFile) json() ([]byte, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	defer file.Close()
	head := make([]byte, 64)        // a database begins with a page number, and may be large
	n, _ := io.ReadFull(file, head) // what cannot be read here, the next read reports
	head = bytes.TrimSpace(head[:n])
	if len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return nil, nil
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	return bytes.TrimSpace(data), nil
}

// convert makes a file of JSON a database with the same records. At each moment
// path is one of the two, whole; the JSON stays beside it as PATH.imported.
func (f *runFile) convert() error {
	data, err := f.json()
	if err != nil || data == nil {
		return err
	}
	recs, err := legacyRecords(data)
	if err != nil && !errors.Is(err, errDamaged) {
		return err
	}
	runs := make(map[string][]byte, len(recs))
	for _, rec := range recs {
		runs[rec.ID] = rec.Val
	}
	next := f.path + ".new"
	if _, err = withStore(next, func(st *store.Store) error { return st.ReplaceRuns(runs) }); err != nil {
		return err
	}
	if err = os.WriteFile(f.path+".imported", data, 0o600); err == nil {
		err = os.Rename(next, f.path)
	}
	if err != nil {
		return fmt.Errorf("convert the old file of runs: %w", err)
	}
	return nil
}
