package credential_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// fileOf is where openStore's store keeps a grant; the names are a promise, as
// stores of older versions are read.
func fileOf(s *credential.FileStore, escaped string) string {
	return filepath.Join(s.Dir(), escaped+".sealed")
}

func TestFileStoreOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "credentials")
	s := openStore(t, dir)
	mustPut(t, s, full)
	file := fileOf(s, "github%3a%4frg%2frepo")
	data, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(data), "moat-sealed 1\n") {
		t.Errorf("ReadFile(%s) = %.20q, %v; want the header", file, data, err)
	}
	for path, want := range map[string]fs.FileMode{file: 0o600, dir: 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("mode of %s = %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("ReadDir = %v, %v; want one file", entries, err)
	}
	if got, err := openStore(t, dir).Get(t.Context(), full.Grant); err != nil || !got.Equal(full) {
		t.Errorf("Get after opening again = %+v, %v; want %+v", got, err, full)
	}
}

func TestFileStoreHoldsNothingInClear(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "credentials"))
	const secret = "a secret/with?signs=1"
	mustPut(t, s, credential.Credential{Grant: "github", Secret: secret, Source: "env:HIDDEN_SOURCE"})
	forbidden := map[string]string{
		"clear": secret, "base64": base64.StdEncoding.EncodeToString([]byte(secret))[:24],
		"base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte(secret))[:24], "hex": hex.EncodeToString([]byte(secret)),
		"query form": url.QueryEscape(secret), "path form": url.PathEscape(secret), "source": "HIDDEN_SOURCE",
	}
	err := filepath.WalkDir(filepath.Dir(s.Dir()), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for form, text := range forbidden {
			if bytes.Contains(data, []byte(text)) {
				t.Errorf("%s holds the secret, %s", path, form)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkUnreadable checks that github is refused by name and file, and that
// openai, beside it, is not concerned.
func checkUnreadable(t *testing.T, s *credential.FileStore, what string) {
	t.Helper()
	file := fileOf(s, "github")
	c, err := s.Get(t.Context(), "github")
	if err == nil || errors.Is(err, credential.ErrNotFound) || c != nil {
		t.Errorf("%s: Get = %v, %v; want an error", what, c, err)
		return
	}
	if msg := err.Error(); !strings.Contains(msg, "credential github") || !strings.Contains(msg, file) || strings.Contains(msg, "s3cret") {
		t.Errorf("%s: Get = %v, want grant and file and not the secret", what, err)
	}
	all, err := s.List(t.Context())
	if err == nil || !strings.Contains(err.Error(), file) || len(all) != 1 || all[0].Grant != "openai" {
		t.Errorf("%s: List = %v, %v; want openai, and an error that names %s", what, all, err, file)
	}
}

func damagedStore(t *testing.T) (s *credential.FileStore, good []byte) {
	t.Helper()
	s = openStore(t, filepath.Join(t.TempDir(), "credentials"))
	mustPut(t, s, credential.Credential{Grant: "github", Secret: "s3cret"}, credential.Credential{Grant: "openai", Secret: "k"})
	good, err := os.ReadFile(fileOf(s, "github"))
	if err != nil {
		t.Fatal(err)
	}
	return s, good
}

func overwrite(t *testing.T, s *credential.FileStore, data []byte) {
	t.Helper()
	if err := os.WriteFile(fileOf(s, "github"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileChangedAtEveryByte(t *testing.T) {
	s, good := damagedStore(t)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		overwrite(t, s, bad)
		checkUnreadable(t, s, "changed at byte "+string(rune('0'+i%10)))
		if t.Failed() {
			t.Fatalf("at byte %d", i)
		}
	}
	overwrite(t, s, good)
	if _, err := s.Get(t.Context(), "github"); err != nil {
		t.Errorf("Get of the good file = %v", err)
	}
}

func TestFileCutAtEveryByte(t *testing.T) {
	s, good := damagedStore(t)
	for i := range good {
		overwrite(t, s, good[:i])
		checkUnreadable(t, s, "cut")
		if t.Failed() {
			t.Fatalf("at byte %d", i)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(s *credential.FileStore, file string) error
		want   error // nil: any
	}{
		{"renamed from another grant", func(s *credential.FileStore, file string) error {
			data, err := os.ReadFile(fileOf(s, "openai"))
			return errors.Join(err, os.WriteFile(file, data, 0o600))
		}, credential.ErrDamaged},
		{"sealed with another key", func(_ *credential.FileStore, file string) error {
			other := openStore(t, filepath.Join(t.TempDir(), "credentials"))
			mustPut(t, other, credential.Credential{Grant: "github", Secret: "s3cret"})
			return os.Rename(fileOf(other, "github"), file)
		}, credential.ErrWrongKey},
		{"of a newer version", func(_ *credential.FileStore, file string) error {
			return os.WriteFile(file, []byte("moat-sealed 2\n..."), 0o600)
		}, nil},
		{"a huge file", func(_ *credential.FileStore, file string) error {
			return os.WriteFile(file, make([]byte, 1<<20), 0o600)
		}, nil},
		{"a symbolic link", func(s *credential.FileStore, file string) error {
			return errors.Join(os.Remove(file), os.Symlink(fileOf(s, "openai"), file))
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := damagedStore(t)
			if err := tt.damage(s, fileOf(s, "github")); err != nil {
				t.Fatal(err)
			}
			checkUnreadable(t, s, tt.name)
			if _, err := s.Get(t.Context(), "github"); tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Get = %v, want %v", err, tt.want)
			}
			mustPut(t, s, credential.Credential{Grant: "github", Secret: "new"})
			if got, err := s.Get(t.Context(), "github"); err != nil || got.Secret.Reveal() != "new" {
				t.Errorf("Get after Put = %v, %v; want the new one", got, err)
			}
		})
	}
}

func TestForeignFilesAreNamedAndSpareTheOthers(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "credentials"))
	mustPut(t, s, full)
	foreign := []string{"notes.txt", "GITHUB.sealed", "git%68ub.sealed", ".sealed.bak", "x.sealed~"}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.Dir(), "profiles"), 0o700); err != nil {
		t.Fatal(err)
	}
	all, err := s.List(t.Context())
	if err == nil || len(all) != 1 || all[0].Grant != full.Grant {
		t.Fatalf("List = %v, %v; want the good one and an error", all, err)
	}
	for _, name := range foreign {
		if hidden := strings.HasPrefix(name, "."); strings.Contains(err.Error(), name) == hidden {
			t.Errorf("List names %s in its error: %t, want %t; the error: %v", name, hidden, !hidden, err)
		}
	}
	if strings.Contains(err.Error(), "profiles") {
		t.Errorf("List = %v, want nothing about a directory", err)
	}
}

func TestOpenFileStore(t *testing.T) {
	t.Run("takes others' access away", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "credentials")
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		openStore(t, dir)
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("mode = %v, %v; want 0700", info.Mode(), err)
		}
	})
	t.Run("removes what a killed writer left, once it is old", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "credentials")
		openStore(t, dir)
		old, young := filepath.Join(dir, ".tmp-1"), filepath.Join(dir, ".tmp-2")
		long := time.Now().Add(-2 * time.Hour)
		err := errors.Join(os.WriteFile(old, nil, 0o600), os.WriteFile(young, nil, 0o600), os.Chtimes(old, long, long))
		if err != nil {
			t.Fatal(err)
		}
		openStore(t, dir)
		_, errOld := os.Stat(old)
		_, errYoung := os.Stat(young)
		if !errors.Is(errOld, fs.ErrNotExist) || errYoung != nil {
			t.Errorf("Stat of the old one, the young one = %v, %v; want only the old one gone", errOld, errYoung)
		}
	})
	t.Run("needs a key", func(t *testing.T) {
		if _, err := credential.OpenFileStore(t.TempDir(), credential.Key{}); err == nil {
			t.Error("OpenFileStore without a key = nil, want an error")
		}
	})
	t.Run("says which directory it could not make", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		key, _, err := credential.LoadOrCreateKey(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := credential.OpenFileStore(file, key); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("OpenFileStore(a file) = %v, want an error that names it", err)
		}
	})
}

func TestFileStoreWhoseDirectoryIsGone(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "credentials"))
	if err := os.Remove(s.Dir()); err != nil {
		t.Fatal(err)
	}
	c := full
	if err := s.Put(t.Context(), &c); err == nil {
		t.Error("Put = nil, want an error")
	}
	if all, err := s.List(t.Context()); err == nil {
		t.Errorf("List = %v, nil; want an error, as an empty list would say that nothing was granted", all)
	}
}
