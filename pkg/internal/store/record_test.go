package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moatd/moatd/pkg/internal/store"
)

func TestRecord(t *testing.T) {
	write := func(val string) func(string) error {
		return func(path string) error { return store.WriteRecord(path, []byte(val)) }
	}
	place := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
	}
	for _, tt := range []struct {
		name  string
		steps []func(path string) error
		want  string // "" for no record
	}{
		{"there is no file", nil, ""},
		{"the file is empty", []func(string) error{place("")}, ""},
		{"it was written", []func(string) error{write("1")}, "1"},
		{"it was written into an empty file", []func(string) error{place(""), write("1")}, "1"},
		{"it was written into a damaged file", []func(string) error{place(`{"pid":1}`), write("1")}, "1"},
		{"it was written twice", []func(string) error{write("1"), write("2")}, "2"},
		{"it was removed", []func(string) error{write("1"), store.RemoveRecord}, ""},
		{"it was removed twice", []func(string) error{write("1"), store.RemoveRecord, store.RemoveRecord}, ""},
		{"it was removed when there was no file", []func(string) error{store.RemoveRecord}, ""},
		{"it was removed from an empty file", []func(string) error{place(""), store.RemoveRecord}, ""},
		{"it was removed from a damaged file", []func(string) error{place("damage"), store.RemoveRecord}, ""},
		{"it was written after its removal", []func(string) error{write("1"), store.RemoveRecord, write("2")}, "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "daemon.lock.db")
			for i, step := range tt.steps {
				if err := step(path); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
			}
			got, err := store.ReadRecord(path)
			if string(got) != tt.want || (got == nil) != (tt.want == "") || err != nil {
				t.Errorf("ReadRecord = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestRemoveRecordKeepsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.lock.db")
	if err := store.WriteRecord(path, []byte("1")); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(store.RemoveRecord(path), os.WriteFile(path, []byte("damage"), 0o600), store.RemoveRecord(path)); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || after.Mode().Perm() != 0o600 {
		t.Errorf("after RemoveRecord there is %v, %v; want the same file, with mode 0600", after, err)
	}
}

func TestReadRecordMakesNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := store.ReadRecord(filepath.Join(dir, "daemon.lock.db"))
	if files, _ := os.ReadDir(dir); len(files) > 0 || err != nil {
		t.Errorf("ReadRecord of no file = %v, and made %v", err, files)
	}
}

func TestReadRecordOfADamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.lock.db")
	if err := os.WriteFile(path, []byte(`{"pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := store.ReadRecord(path)
	if got != nil || err == nil || !strings.Contains(err.Error(), path+": damaged: ") {
		t.Errorf("ReadRecord = %q, %v; want an error that says it is damaged", got, err)
	}
}

func TestRecordsAreNotFollowedThroughLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.db"), filepath.Join(dir, "daemon.lock.db")
	if err := errors.Join(store.WriteRecord(target, []byte("1")), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	_, readErr := store.ReadRecord(link)
	for call, err := range map[string]error{
		"WriteRecord": store.WriteRecord(link, []byte("2")), "ReadRecord": readErr, "RemoveRecord": store.RemoveRecord(link),
	} {
		if err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s through a symbolic link = %v, want an error", call, err)
		}
	}
	if got, err := store.ReadRecord(target); string(got) != "1" || err != nil {
		t.Errorf("the target of the link has %q, %v; want it untouched", got, err)
	}
}

func TestFortyAtTheRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.lock.db")
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			val := strings.Repeat(fmt.Sprint(w), 100)
			if err := store.WriteRecord(path, []byte(val)); err != nil {
				t.Error(err)
			}
		})
	}
	for range 30 {
		wg.Go(func() {
			got, err := store.ReadRecord(path)
			if err != nil {
				t.Error(err)
			} else if got != nil && string(got) != strings.Repeat(string(got[:1]), 100) {
				t.Errorf("ReadRecord = %q, want what one writer wrote", got)
			}
		})
	}
	wg.Wait()
	if got, err := store.ReadRecord(path); len(got) != 100 || err != nil {
		t.Errorf("in the end ReadRecord = %q, %v; want a record", got, err)
	}
}
