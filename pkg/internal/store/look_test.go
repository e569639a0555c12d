package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	sound := sample(t, filepath.Join(dir, "sample.db"))
	m := newImage(t, sound)
	oneMeta := bytes.Clone(sound)
	clear(oneMeta[(m.tx+1)%2*uint64(m.pageSize):][:64]) // the older of the two
	cycle := newImage(t, sound)
	copy(cycle.leaf(), cycle.runs())
	for _, tt := range []struct {
		name string
		data []byte
		bak  bool // there is a backup
		note bool
		want string // in the error, "" for none
	}{
		{"a sound file", sound, false, false, ""},
		{"an empty file of a program that has just begun", nil, false, false, ""},
		{"an empty file beside a backup", nil, true, false, "the file is empty"},
		{"one bad meta page", oneMeta, false, true, ""},
		{"a file cut short", sound[:len(sound)/2], false, false, "cut short"},
		{"pages in a circle", cycle.b, false, false, "damaged"},
		{"something else", []byte(strings.Repeat("no database ", 4000)), false, false, "damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moatd.db")
			writeMode(t, path, tt.data, 0o640)
			if tt.bak {
				write(t, path+".bak", sound)
			}
			got, err := Inspect(path)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Inspect = %v, want an error with %q", err, tt.want)
			}
			if (got.Note != "") != tt.note {
				t.Errorf("Inspect notes %q, want a note: %t", got.Note, tt.note)
			}
			now, err := os.ReadFile(path)
			if info, _ := os.Stat(path); err != nil || !bytes.Equal(now, tt.data) || info.Mode().Perm() != 0o640 {
				t.Errorf("Inspect changed the file (read again: %v), or its mode", err)
			}
		})
	}
}

func writeMode(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}

func TestInspectCountsStartsAndGivesWayToADaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	if _, err := Inspect(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Inspect of no file = %v, want fs.ErrNotExist", err)
	}
	s, _, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err = s.CountBoot(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = Inspect(path); !errors.Is(err, ErrLocked) {
		t.Errorf("Inspect of a database that is open = %v, want ErrLocked", err)
	}
	if err = s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Inspect(path)
	if err != nil || got.Boots != 3 {
		t.Errorf("Inspect = %+v, %v, want 3 starts", got, err)
	}
	again, _, err := Open(path, Options{LockWait: -1})
	if err != nil {
		t.Fatalf("after Inspect, Open = %v: it still holds the file", err)
	}
	again.Close()
}

func TestInspectRefusesANewerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s, _, err := open(path, Options{Writer: "9.0"}, layout{schema: 2, migrations: nil})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Inspect(path); !errors.Is(err, ErrNewer) {
		t.Errorf("Inspect = %v, want ErrNewer", err)
	}
}
