package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	bolterr "go.etcd.io/bbolt/errors"

	bolt "go.etcd.io/bbolt"
)

// openTemp opens a new database in a directory of its own.
func openTemp(t *testing.T) *Store {
	t.Helper()
	s, _, err := Open(filepath.Join(t.TempDir(), "moatd.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// lastTx returns the number of the last transaction.
func lastTx(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.view("test", func(tx *bolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

// together runs the calls so that all of them wait for the turn at the same
// time, in order, and returns their errors.
func together(s *Store, calls []func() error) []error {
	errs := make([]error, len(calls))
	s.turn <- struct{}{}
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
		synctest.Wait()
	}
	<-s.turn
	wg.Wait()
	return errs
}

func TestThoseWhoWaitShareATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		before := lastTx(t, s)
		var puts []func() error
		for i := range 16 {
			puts = append(puts, func() error { return s.PutRun(fmt.Sprint("run_", i), []byte("v")) })
		}
		if err := errors.Join(together(s, puts)...); err != nil {
			t.Fatal(err)
		}
		if got := lastTx(t, s) - before; got != 1 {
			t.Errorf("16 waiting writers took %d transactions, want 1", got)
		}
		if recs, err := s.Runs(); len(recs) != 16 || err != nil {
			t.Errorf("%d runs, %v; want 16", len(recs), err)
		}
	})
}

func TestOnlyTheBadOneFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  func(*Store) error
		want error
	}{
		{"a change that is refused", func(s *Store) error { return s.PutRun("", nil) }, bolterr.ErrKeyRequired},
		{"a change that panics", func(s *Store) error { return s.update("panic", func(*bolt.Tx) error { panic("oops") }) }, nil},
		{"a change that faults", func(s *Store) error {
			return s.update("fault", func(tx *bolt.Tx) error { return tx.Bucket([]byte("none")).Put(nil, nil) })
		}, nil},
		{"a change that does not fit", func(s *Store) error {
			return s.PutRun("big", bytes.Repeat([]byte("x"), 2<<20))
		}, bolterr.ErrMaxSizeReached},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openTemp(t)
				s.db.MaxSize = 1 << 20
				errs := together(s, []func() error{
					func() error { return s.PutRun("a", nil) },
					func() error { return tt.bad(s) },
					func() error { return s.PutRun("b", nil) },
				})
				if errs[0] != nil || errs[2] != nil {
					t.Errorf("the good changes failed: %v, %v", errs[0], errs[2])
				}
				if errs[1] == nil || (tt.want != nil && !errors.Is(errs[1], tt.want)) {
					t.Errorf("the bad change = %v, want %v", errs[1], tt.want)
				}
				if recs, err := s.Runs(); len(recs) != 2 || err != nil {
					t.Errorf("Runs() = %v, %v; want a and b", recs, err)
				}
			})
		})
	}
}

func TestTheLastWriterWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		errs := together(s, []func() error{
			func() error { return s.PutRun("a", []byte("1")) },
			func() error { return s.PutRun("b", []byte("1")) },
			func() error { return s.DeleteRun("b") },
			func() error { return s.PutRun("a", []byte("2")) },
			func() error { return s.PutRun("c", []byte("1")) },
			func() error { return s.ReplaceRuns(map[string][]byte{"a": []byte("3")}) },
			func() error { return s.PutRun("d", []byte("4")) },
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		recs, err := s.Runs()
		if got := fmt.Sprintf("%s", recs); got != "[{a 3} {d 4}]" || err != nil {
			t.Errorf("Runs() = %s, %v; want a 3 and d 4", got, err)
		}
	})
}

func TestCheckNoticesACommitThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, goOn := make(chan struct{}), make(chan struct{})
		s, _, err := Open(filepath.Join(t.TempDir(), "moatd.db"), Options{BeforeCommit: func() { hang <- struct{}{}; <-goOn }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		put := make(chan error)
		go func() { put <- s.PutRun("a", []byte("1")) }()
		<-hang
		ctx, cancel := context.WithTimeout(t.Context(), 5e9)
		defer cancel()
		if err := s.Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Check() while a commit hangs = %v, want the error of its context", err)
		}
		close(goOn)
		if err := <-put; err != nil {
			t.Errorf("PutRun() once the disk answers = %v", err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("Check() afterwards = %v, want nil", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	s := openTemp(t)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				id := fmt.Sprintf("run_%d_%d", w, i)
				if err := s.PutRun(id, []byte(id)); err != nil {
					t.Error(err)
				}
				if err := s.DeleteRun(fmt.Sprintf("run_%d_%d", w, i-2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 5 {
				if err := errors.Join(s.Backup(), s.Check(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	recs, err := s.Runs()
	if len(recs) != 2*16 || err != nil {
		t.Errorf("%d runs, %v; want the last two of 16 writers", len(recs), err)
	}
	for _, r := range recs {
		if r.ID != string(r.Val) || !strings.HasPrefix(r.ID, "run_") {
			t.Errorf("run %s has the value %q", r.ID, r.Val)
		}
	}
}
