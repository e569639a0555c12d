package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A Report is what [Inspect] found in a file that can be opened.
type Report struct {
	Boots int    // starts in a row without an orderly life, see [Store.CountBoot]
	Note  string // what is damaged and will be mended at the next Open, "" for nothing
}

// Inspect checks the database at path and changes nothing, not even a mode. It
// holds a shared lock meanwhile, some milliseconds, which an Open waits for. An
// empty file without a backup is in order.
//
// The error is [ErrLocked] if a process has the database open, [ErrNewer] if a
// newer program wrote it, [io/fs.ErrNotExist] if there is none, and else says
// what is damaged, or what the system did not permit.
func Inspect(path string) (Report, error) {
	r, err := look(path, current())
	if err != nil {
		return Report{}, fmt.Errorf("inspect %s: %w", path, err)
	}
	return r, nil
}

func look(path string, l layout) (r Report, err error) {
	f, err := os.OpenFile(path, readOnly, 0)
	if err != nil {
		return r, err
	}
	opened := false
	defer func() {
		if !opened { // else the database has closed it
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	switch {
	case err != nil:
		return r, err
	case !info.Mode().IsRegular():
		return r, errors.New("it is not a regular file")
	}
	if err = lock(f, readOnly, time.Time{}); err != nil {
		return r, err
	}
	r.Note, err = verifyFile(f)
	if err == nil {
		err = notEmptied(f)
	}
	if err != nil || info.Size() == 0 {
		return r, err
	}
	opened = true
	r.Boots, err = lookInside(f, l)
	return r, err
}

// lookInside lets bbolt check what has passed verifyFile, and closes f.
func lookInside(f *os.File, l layout) (boots int, err error) {
	db, err := openBolt(f, true)
	if err != nil {
		_ = f.Close() // bbolt has closed it, unless it panicked
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, fn := range []func(*bolt.Tx) error{l.admit, func(tx *bolt.Tx) error {
		if meta := tx.Bucket(metaBucket); meta != nil {
			boots, _ = strconv.Atoi(string(meta.Get(bootsKey))) // absent, or of no use: zero
		}
		return nil
	}} {
		if err := guard(func() error { return db.View(fn) }); err != nil {
			return 0, err
		}
	}
	return boots, nil
}
