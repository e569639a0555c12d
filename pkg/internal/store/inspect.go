package store

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
	bolterr "go.etcd.io/bbolt/errors"
)

// maxSize is the limit for a database file in bytes: some 300 000 runs. A write
// beyond it fails, and the file is as before.
const maxSize = 256 << 20

// damage is an error: what is wrong with a file's content.
type damage struct {
	what string
	file os.FileInfo // the damaged file, nil if not known
}

// Error says what is wrong.
func (d *damage) Error() string { return "damaged: " + d.what }

func damaged(format string, args ...any) *damage { return &damage{what: fmt.Sprintf(format, args...)} }

// guard runs fn and turns a panic into a *damage: bbolt panics, or faults in its
// memory map, on pages that make no sense to it. It covers this goroutine only.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	return fn()
}

// inspect opens the database in f, which is locked, and checks it; from here on
// f belongs to the database, or is closed if there is an error. The error is a
// *damage if the file is damaged and [ErrNewer] if it is too new for l.
func inspect(f *os.File, l layout) (*bolt.DB, Recovery, error) {
	db, rec, err := inspectFile(f, l)
	if d, ok := errors.AsType[*damage](err); ok {
		d.file, _ = f.Stat() // nil is allowed
	}
	if err == nil {
		return db, rec, nil
	}
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	_ = f.Close() // bbolt has closed it, unless it panicked or was not called
	return nil, rec, err
}

func inspectFile(f *os.File, l layout) (*bolt.DB, Recovery, error) {
	var rec Recovery
	note, err := verifyFile(f)
	if err != nil {
		return nil, rec, err
	}
	db, err := openBolt(f, false)
	if err != nil {
		return nil, rec, err
	}
	if err := guard(func() error { return db.View(l.admit) }); err != nil {
		return db, rec, err
	}
	if note != "" {
		rec.Damage = note
		if err := rewriteMeta(db); err != nil {
			return db, rec, err
		}
	}
	return db, rec, guard(func() error { return db.View(checkAll) })
}

// openBolt opens the database in f, which is locked and verified.
func openBolt(f *os.File, readOnly bool) (db *bolt.DB, err error) {
	opts := &bolt.Options{
		Timeout:        lockPoll, // for form's sake; zero would wait for ever
		FreelistType:   bolt.FreelistMapType,
		NoFreelistSync: true,
		NoStatistics:   true,
		MaxSize:        maxSize,
		ReadOnly:       readOnly,
		OpenFile:       func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	}
	err = guard(func() (err error) {
		db, err = bolt.Open(f.Name(), 0o600, opts)
		return err
	})
	for _, bad := range []error{bolterr.ErrInvalid, bolterr.ErrVersionMismatch, bolterr.ErrChecksum} {
		if errors.Is(err, bad) {
			return nil, damaged("%v", err)
		}
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// rewriteMeta writes both meta pages anew, in two empty transactions.
func rewriteMeta(db *bolt.DB) error {
	for range 2 {
		if err := guard(func() error { return db.Update(func(*bolt.Tx) error { return nil }) }); err != nil {
			return err
		}
	}
	return nil
}

// checkAll runs bbolt's own consistency check, and looks at what the layout
// forbids: a bucket among the records.
func checkAll(tx *bolt.Tx) error {
	var first error
	for err := range tx.Check() { // to the end, or its goroutine never ends
		if first == nil {
			first = damaged("%v", err)
		}
	}
	if first != nil {
		return first
	}
	return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		return b.ForEachBucket(func(k []byte) error {
			return damaged("bucket %q has a bucket %q in it", name, k)
		})
	})
}
