package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// metaOf returns the bucket meta as text.
func metaOf(t *testing.T, s *Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := s.view("test", func(tx *bolt.Tx) error {
		return tx.Bucket(metaBucket).ForEach(func(k, v []byte) error {
			got[string(k)] = string(v)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMetaNamesTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	created := ""
	for _, tt := range []struct{ writer, want string }{{"", ""}, {"1.0", "1.0"}, {"1.0", "1.0"}, {"1.1", "1.1"}, {"", "1.1"}} {
		s, _, err := Open(path, Options{Writer: tt.writer})
		if err != nil {
			t.Fatal(err)
		}
		meta := metaOf(t, s)
		if meta["writer"] != tt.want || meta["schema"] != "1" {
			t.Errorf("after Open with writer %q meta is %v, want writer %q and schema 1", tt.writer, meta, tt.want)
		}
		if created == "" {
			created = meta["created"]
		}
		if _, err := time.Parse(time.RFC3339, created); err != nil || meta["created"] != created {
			t.Errorf("meta/created = %q, %v; want %q each time", meta["created"], err, created)
		}
		s.Close()
	}
}

func TestOpenWritesNothingWhenThereIsNothingNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	before := sample(t, path)
	s, _, err := Open(path, Options{Writer: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if after, err := os.ReadFile(path); !bytes.Equal(before, after) || err != nil {
		t.Errorf("Open and Close changed the file, %v", err)
	}
}

func TestANewerFileIsLeftAlone(t *testing.T) {
	for _, tt := range []struct{ name, writer, want string }{
		{"with the version of its writer", "9.1.0", "it has schema 7, by 9.1.0, and this moatd knows up to 1: upgrade moatd"},
		{"without", "", "it has schema 7, by an unknown version, and this moatd knows up to 1: upgrade moatd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moatd.db")
			s, _, err := open(path, Options{Writer: tt.writer}, layout{schema: 7})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, rec, err := Open(path, Options{Writer: "1.0"})
			if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open = %v, want ErrNewer, the path and %q", err, tt.want)
			}
			if after, err := os.ReadFile(path); rec != (Recovery{}) || !bytes.Equal(before, after) || err != nil {
				t.Errorf("Open did %v, %v; want the file untouched", rec, err)
			}
		})
	}
}

func TestANewerBackupIsNotDroppedForAnEmptyDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s, _, err := open(path+".bak", Options{}, layout{schema: 7})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	write(t, path, []byte("damage"))
	if _, _, err := Open(path, Options{}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), path+".bak") {
		t.Errorf("Open = %v, want ErrNewer and the path of the backup", err)
	}
	if b, err := os.ReadFile(path); string(b) != "damage" || err != nil {
		t.Errorf("the file has %q, %v; want it untouched", b, err)
	}
}

// upper is a layout with two migrations: values in capitals, and then with a mark.
func upper(second error) layout {
	each := func(change func([]byte) []byte) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b := tx.Bucket(runsBucket)
			return b.ForEach(func(k, v []byte) error { return b.Put(k, change(v)) })
		}
	}
	return layout{schema: 3, migrations: []func(*bolt.Tx) error{
		each(bytes.ToUpper),
		func(tx *bolt.Tx) error {
			return errors.Join(second, each(func(v []byte) []byte { return append(slices.Clip(v), '!') })(tx))
		},
	}}
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s, _, err := Open(path, Options{})
	if err == nil {
		err = errors.Join(s.PutRun("a", []byte("alpha")), s.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		layout     layout
		err        string // in the error, "" for none
		file, bak  string // what they hold afterwards, as schema and value
		wantBackup bool
	}{
		{"nothing to do", current(), "", "1 alpha", "", false},
		{"a migration that fails changes nothing", upper(errors.New("oops")), "migrate from schema 2 to 3: oops", "1 alpha", "1 alpha", true},
		{"two steps", upper(nil), "", "3 ALPHA!", "1 alpha", true},
		{"and once only", upper(nil), "", "3 ALPHA!", "1 alpha", true},
	} {
		s, rec, err := open(path, Options{}, tt.layout)
		if (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: Open = %v, want %q", tt.name, err, tt.err)
		}
		if rec != (Recovery{}) {
			t.Errorf("%s: Open recovered: %v, want nothing", tt.name, rec)
		}
		if err == nil {
			s.Close()
		}
		if got := peek(t, path); got != tt.file {
			t.Errorf("%s: the file has %s, want %s", tt.name, got, tt.file)
		}
		if !tt.wantBackup {
			if exists(path + ".bak") {
				t.Errorf("%s: there is a backup, want none", tt.name)
			}
			continue
		}
		if got := peek(t, path+".bak"); got != tt.bak {
			t.Errorf("%s: the backup has %s, want %s", tt.name, got, tt.bak)
		}
	}
}

// peek returns the schema of the database at path and the value of run a.
func peek(t *testing.T, path string) (got string) {
	t.Helper()
	edit(t, path, func(tx *bolt.Tx) error {
		got = fmt.Sprintf("%s %s", tx.Bucket(metaBucket).Get(schemaKey), tx.Bucket(runsBucket).Get([]byte("a")))
		return nil
	})
	return got
}

func TestAMigrationThatPanicsIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	before := sample(t, path)
	_, rec, err := open(path, Options{}, layout{schema: 2, migrations: []func(*bolt.Tx) error{
		func(*bolt.Tx) error { panic("oops") },
	}})
	if err == nil || !strings.Contains(err.Error(), "oops") || rec != (Recovery{}) {
		t.Errorf("Open = %v, %v; want the panic as an error, and no recovery", rec, err)
	}
	if after, err := os.ReadFile(path); !bytes.Equal(before, after) || err != nil {
		t.Errorf("the file has changed, %v", err)
	}
}
