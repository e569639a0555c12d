// Package store keeps records in bbolt files; it is the only package that
// knows the database. What it promises: a record is on disk when the call that
// stored it returns, a damaged file is moved aside and never stops the program,
// and a file of a newer program is left alone.
package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Schema is the version of the layout that this program writes.
const Schema = 1

// defaultLockWait is [Options.LockWait] when that is zero. A process that is
// being replaced has closed the file long before.
const defaultLockWait = 3 * time.Second

var (
	// ErrLocked reports that another process holds the file.
	ErrLocked = errors.New("another process holds the file")

	// ErrNewer reports that the file was written by a newer moatd.
	ErrNewer = errors.New("the file was written by a newer moatd")
)

// Options says how to open a [Store]. The zero value is useful.
type Options struct {
	// LockWait is how long to wait for another process to close the file.
	// Zero means 3 s; less than zero means one attempt.
	LockWait time.Duration

	// Writer is the version of this program, kept in the file so that an
	// older program can name it when it refuses the file. Empty means that
	// the last one stays.
	Writer string

	// BeforeCommit is called in each transaction, after its changes and before
	// they go to the disk; nil means that nothing is. It is for tests of what
	// becomes of a program whose disk hangs.
	BeforeCommit func()
}

// A Store is an open database file. Its methods may be called concurrently; the
// changes of one caller are made in its order, and of two calls at the same time
// either may come last.
type Store struct {
	db *bolt.DB

	// turn is held (by a value in it) by the one who commits.
	turn         chan struct{}
	beforeCommit func() // nil for nothing

	mu    sync.Mutex // guards queue
	queue []*change  // not yet taken into a transaction, in order

	backup sync.Mutex // held for a backup: two would share the temporary file
}

// Open opens the database at path, or creates it in its directory, which must
// exist. A damaged file is moved aside, and PATH.bak takes its place if it is
// sound; the Recovery tells. The caller closes the Store.
//
// The error is [ErrLocked] if another process did not close the file in time
// and [ErrNewer] if a newer program wrote it; the file is untouched then. Any
// other error comes from the system, such as a path that is no regular file of
// our own, or a read that failed.
func Open(path string, opts Options) (*Store, Recovery, error) {
	return open(path, opts, current())
}

// open is [Open] for any layout. Damage is mended once: if what takes the place of
// the file is damaged too, that is an error and not a loop.
func open(path string, opts Options, l layout) (*Store, Recovery, error) {
	if opts.LockWait == 0 {
		opts.LockWait = defaultLockWait
	}
	s, rec, err := tryOpen(path, opts, l)
	if d, ok := errors.AsType[*damage](err); ok && d.file != nil {
		if rec, err = replace(path, opts, l, d); err == nil {
			s, _, err = tryOpen(path, opts, l)
		}
	}
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("%w: stop the other moatd, or use another directory", err)
	}
	if err != nil {
		return nil, rec, fmt.Errorf("open %s: %w", path, err)
	}
	return s, rec, nil
}

// tryOpen opens the file at path, brings it up to date and leaves it as it is
// if that fails. The error is a *damage if the file is damaged.
func tryOpen(path string, opts Options, l layout) (*Store, Recovery, error) {
	f, err := openLocked(path, readWrite, opts.LockWait)
	if err != nil {
		return nil, Recovery{}, err
	}
	db, rec, err := inspect(f, l)
	if err != nil {
		return nil, Recovery{}, err
	}
	s := &Store{db: db, turn: make(chan struct{}, 1), beforeCommit: opts.BeforeCommit}
	if err := s.prepare(opts, l); err != nil {
		return nil, Recovery{}, errors.Join(err, db.Close())
	}
	return s, rec, nil
}

// prepare brings the layout up to date, after a backup if it is an old one, and
// puts the directory entry of a new file on disk.
func (s *Store) prepare(opts Options, l layout) error {
	var old bool
	err := guard(func() error {
		return s.db.View(func(tx *bolt.Tx) (err error) { old, err = l.isOld(tx); return err })
	})
	if err == nil && old {
		err = s.Backup()
	}
	if err == nil {
		err = guard(func() error { return l.update(s.db, opts.Writer) })
	}
	if err == nil {
		err = syncDir(filepath.Dir(s.db.Path()))
	}
	return err
}

// Close closes the file. It waits for the calls that are under way; later ones
// fail. It may be called again.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Check reports whether the database answers, for the watchdog: no commit
// hangs in the disk, and a read succeeds. It writes nothing. When ctx ends while
// a commit is under way, Check gives up with an error.
func (s *Store) Check(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("check the database: a commit does not end: %w", context.Cause(ctx))
	case s.turn <- struct{}{}:
	}
	<-s.turn
	return s.view("check the database", func(tx *bolt.Tx) error {
		if tx.Bucket(metaBucket).Get(schemaKey) == nil {
			return errors.New("no schema")
		}
		return nil
	})
}

// view runs fn in a read transaction; what names the attempt in the error.
func (s *Store) view(what string, fn func(*bolt.Tx) error) error {
	err := guard(func() error { return s.db.View(fn) })
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
