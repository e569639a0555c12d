package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/store"
)

// mustOpen opens the database at path, in which nothing may be damaged, and
// closes it when the test ends.
func mustOpen(tb testing.TB, path string) *store.Store {
	tb.Helper()
	s, rec, err := store.Open(path, store.Options{})
	if err != nil || rec != (store.Recovery{}) {
		tb.Fatalf("Open(%s) = %v, %v; want a store, and nothing to recover", path, rec, err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// wantRuns checks the records of s.
func wantRuns(t *testing.T, s *store.Store, want map[string]string) {
	t.Helper()
	recs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, r := range recs {
		if i > 0 && recs[i-1].ID >= r.ID {
			t.Errorf("Runs() has %s before %s, want them by id", recs[i-1].ID, r.ID)
		}
		got[r.ID] = string(r.Val)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Runs() (-want +got):\n%s", d)
	}
}

func TestChangesAreThereAfterReopen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*store.Store) error
		want   map[string]string
	}{
		{
			"a new run",
			func(s *store.Store) error { return s.PutRun("new", []byte("1")) },
			map[string]string{"a": "alpha", "b": "beta", "new": "1"},
		},
		{
			"a run that was there",
			func(s *store.Store) error { return s.PutRun("a", []byte("other")) },
			map[string]string{"a": "other", "b": "beta"},
		},
		{
			"an empty value",
			func(s *store.Store) error { return s.PutRun("a", nil) },
			map[string]string{"a": "", "b": "beta"},
		},
		{
			"a value of several pages",
			func(s *store.Store) error { return s.PutRun("b", bytes.Repeat([]byte("x"), 100_000)) },
			map[string]string{"a": "alpha", "b": strings.Repeat("x", 100_000)},
		},
		{
			"a run less",
			func(s *store.Store) error { return s.DeleteRun("a") },
			map[string]string{"b": "beta"},
		},
		{
			"a run less that was not there",
			func(s *store.Store) error { return s.DeleteRun("zzz") },
			map[string]string{"a": "alpha", "b": "beta"},
		},
		{
			"all runs replaced",
			func(s *store.Store) error { return s.ReplaceRuns(map[string][]byte{"b": []byte("2"), "c": nil}) },
			map[string]string{"b": "2", "c": ""},
		},
		{
			"all runs gone",
			func(s *store.Store) error { return s.ReplaceRuns(nil) },
			map[string]string{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moatd.db")
			s := mustOpen(t, path)
			if err := s.ReplaceRuns(map[string][]byte{"a": []byte("alpha"), "b": []byte("beta")}); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(s); err != nil {
				t.Fatal(err)
			}
			wantRuns(t, s, tt.want)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantRuns(t, mustOpen(t, path), tt.want)
		})
	}
}

func TestAFailedChangeChangesNothing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*store.Store) error
		want   string // in the error
	}{
		{"no id", func(s *store.Store) error { return s.PutRun("", []byte("1")) }, "key required"},
		{"an id that is too long", func(s *store.Store) error { return s.PutRun(strings.Repeat("i", 40_000), nil) }, "key too large"},
		{"one bad id of many", func(s *store.Store) error { return s.ReplaceRuns(map[string][]byte{"": nil, "b": nil}) }, "replace the runs: key required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustOpen(t, filepath.Join(t.TempDir(), "moatd.db"))
			if err := s.PutRun("a", []byte("alpha")); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the change = %v, want an error with %q", err, tt.want)
			}
			wantRuns(t, s, map[string]string{"a": "alpha"})
		})
	}
}

func TestTheCallerOwnsTheValues(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "moatd.db"))
	val := []byte("alpha")
	if err := s.PutRun("a", val); err != nil {
		t.Fatal(err)
	}
	copy(val, "XXXXX")
	recs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	copy(recs[0].Val, "YYYYY")
	wantRuns(t, s, map[string]string{"a": "alpha"})
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		place func(path string) error
		want  string // in the error
	}{
		{"a directory in place of the file", func(p string) error { return os.Mkdir(p, 0o700) }, "is a directory"},
		{"a symbolic link to a file", func(p string) error { return errors.Join(os.WriteFile(p+"x", nil, 0o600), os.Symlink(p+"x", p)) }, "symbolic link"},
		{"a symbolic link to nothing", func(p string) error { return os.Symlink(p+"x", p) }, "symbolic link"},
		{"a FIFO", func(p string) error { return syscall.Mkfifo(p, 0o600) }, "not a regular file"},
		{"a directory that is not there", func(p string) error { return os.Remove(filepath.Dir(p)) }, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "moat")
			path := filepath.Join(dir, "moatd.db")
			if err := errors.Join(os.Mkdir(dir, 0o700), tt.place(path)); err != nil {
				t.Fatal(err)
			}
			s, rec, err := store.Open(path, store.Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open = %v, want an error with %q and the path", err, tt.want)
			}
			if err != nil && strings.Count(err.Error(), path) != 1 {
				t.Errorf("Open = %v, want the path once", err)
			}
			if rec != (store.Recovery{}) {
				t.Errorf("Open recovered: %v, want nothing", rec)
			}
		})
	}
}

func TestOpenRefusesTheFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	for _, uid := range []int{1, 65534} {
		path := filepath.Join(t.TempDir(), "moatd.db")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, uid, -1)); err != nil {
			t.Fatal(err)
		}
		_, _, err := store.Open(path, store.Options{})
		if err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("Open of a file of user %d = %v, want an error", uid, err)
		}
	}
}

func TestTheFileIsReadableByItsOwnerAlone(t *testing.T) {
	for _, mode := range []os.FileMode{0o644, 0o666, 0o600, 0o400} {
		path := filepath.Join(t.TempDir(), "moatd.db")
		if err := errors.Join(os.WriteFile(path, nil, mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		if mode == 0o400 && os.Geteuid() != 0 {
			continue // it cannot even be opened
		}
		mustOpen(t, path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("Open of a file with mode %v left %v, %v; want 0600", mode, info.Mode(), err)
		}
	}
}

func TestASecondOpenIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s := mustOpen(t, path)
	_, rec, err := store.Open(path, store.Options{LockWait: -1})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "stop the other") {
		t.Errorf("the second Open = %v, want ErrLocked, with the path and what to do", err)
	}
	if rec != (store.Recovery{}) {
		t.Errorf("the second Open recovered: %v, want nothing", rec)
	}
	if err := s.PutRun("a", nil); err != nil {
		t.Error("after it, the first store fails:", err)
	}
}

func TestOpenWaitsForTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s := mustOpen(t, path)
	closed := make(chan error)
	go func() {
		err := s.PutRun("a", []byte("last"))
		closed <- errors.Join(err, s.Close())
	}()
	next := mustOpen(t, path)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wantRuns(t, next, map[string]string{"a": "last"})
}

func TestAClosedStoreFails(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "moatd.db"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func() error{
		"PutRun":      func() error { return s.PutRun("a", nil) },
		"DeleteRun":   func() error { return s.DeleteRun("a") },
		"ReplaceRuns": func() error { return s.ReplaceRuns(nil) },
		"Runs":        func() error { _, err := s.Runs(); return err },
		"Check":       func() error { return s.Check(t.Context()) },
		"Backup":      s.Backup,
		"CountBoot":   func() error { _, err := s.CountBoot(); return err },
		"ResetBoots":  s.ResetBoots,
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "not open") {
			t.Errorf("%s after Close = %v, want an error", name, err)
		}
	}
}

func TestCountBoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	for i, tt := range []struct{ reset, want int }{{want: 1}, {want: 2}, {want: 3, reset: 1}, {want: 1}, {want: 2, reset: 2}, {want: 1}} {
		s := mustOpen(t, path)
		if got, err := s.CountBoot(); got != tt.want || err != nil {
			t.Errorf("start %d: CountBoot() = %d, %v, want %d", i, got, err, tt.want)
		}
		for range tt.reset {
			if err := s.ResetBoots(); err != nil {
				t.Error(err)
			}
		}
		s.Close()
	}
}

func TestCheckGivesUpWithItsContext(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "moatd.db"))
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v, want nil", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Check() when its context has ended = %v, want that or nil", err)
	}
}

func TestBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s := mustOpen(t, path)
	want := map[string]string{}
	for i := range 3 {
		id := fmt.Sprint("run_", i)
		want[id] = "v"
		if err := errors.Join(s.PutRun(id, []byte("v")), s.Backup()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutRun("later", nil); err != nil {
		t.Fatal(err)
	}
	wantRuns(t, mustOpen(t, path+".bak"), want)
	info, err := os.Stat(path + ".bak")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := os.Stat(path + ".bak.new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary file is left over: %v", err)
	}
}

func TestBackupSaysWhereItFailed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s := mustOpen(t, path)
	if err := os.MkdirAll(path+".bak/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(); err == nil || !strings.Contains(err.Error(), path+".bak") {
		t.Errorf("Backup() onto a directory = %v, want an error with the path", err)
	}
}
