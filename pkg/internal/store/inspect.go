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
	file os.FileInfo // the damaged file; nil if it is not to be moved aside
}

// Error says what is wrong.
func (d *damage) Error() string { return "damaged: " + d.what }

func damaged(what string) *damage { return &damage{what: what} }

// guard runs fn and turns a panic into a *damage: bbolt panics, or faults in its
// memory map, on pages that make no sense to it. It covers this goroutine only.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged(fmt.Sprint(p))
		}
	}()
	return fn()
}

// inspect opens the database in f, which is locked, and checks it; from here on
// f belongs to the database, or is closed if there is an error. The error is a
// *damage if the file is damaged and [ErrNewer] if it is too new for l.
func inspect(f *os.File, l layout) (*bolt.DB, Recovery, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, Recovery{}, errors.Join(err, f.Close())
	}
	db, rec, err := inspectFile(f, l)
	if err == nil {
		return db, rec, nil
	}
	if d, ok := errors.AsType[*damage](err); ok {
		d.file = info
	}
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	_ = f.Close() // bbolt has closed it, unless it panicked or was not called
	return nil, rec, err
}

// inspectFile is inspect, except that it leaves closing to its caller. The order
// matters: bbolt sees only pages that make sense, nothing is written to a file
// that is too new, and bbolt's check sees meta pages that are in order.
func inspectFile(f *os.File, l layout) (*bolt.DB, Recovery, error) {
	note, err := verifyFile(f)
	if err == nil {
		err = notEmptied(f)
	}
	if err != nil {
		return nil, Recovery{}, err
	}
	db, err := openBolt(f, false)
	if err != nil {
		return nil, Recovery{}, err
	}
	err = guard(func() error { return db.View(l.admit) })
	if err == nil && note != "" { // before the check, which looks at both meta pages
		err = rewriteMeta(db)
	}
	if err == nil {
		err = guard(func() error { return db.View(checkAll) })
	}
	return db, Recovery{Damage: note}, err
}

// notEmptied returns a *damage if f is empty although there is a backup. Without
// one, the program may have ended right after it had created the file.
func notEmptied(f *os.File) error {
	info, err := f.Stat()
	if err == nil && info.Size() == 0 && exists(f.Name()+".bak") {
		return damaged("the file is empty")
	}
	return err
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
			return nil, damaged(err.Error())
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

// checkAll runs bbolt's own consistency check.
func checkAll(tx *bolt.Tx) error {
	var first error
	for err := range tx.Check() { // to the end, or its goroutine never ends
		if first == nil {
			first = damaged(err.Error())
		}
	}
	return first
}
