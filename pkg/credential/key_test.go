package credential

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const goodKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestLoadOrCreateKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "store.key")
	first, created, err := LoadOrCreateKey(path)
	if err != nil || !created {
		t.Fatalf("LoadOrCreateKey without a file = %t, %v; want created", created, err)
	}
	again, created, err := LoadOrCreateKey(path)
	if err != nil || created || again.raw() != first.raw() {
		t.Errorf("LoadOrCreateKey again = the same: %t, created: %t, %v; want the same key", again.raw() == first.raw(), created, err)
	}
	loaded, err := LoadKey(path)
	if err != nil || loaded.raw() != first.raw() || loaded.Source() != "file" {
		t.Errorf("LoadKey = the same: %t, source %q, %v; want the same key of a file", loaded.raw() == first.raw(), loaded.Source(), err)
	}
	for file, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(file); err != nil || info.Mode() != want {
			t.Errorf("mode of %s = %v, %v; want %v", file, info.Mode(), err, want)
		}
	}
	onlyFile(t, filepath.Dir(path), "store.key")
}

// onlyFile fails the test if dir holds other files than name.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("ReadDir(%s) = %v, %v; want only %s", dir, entries, err, name)
	}
}

func TestKeysAreNotTheSame(t *testing.T) {
	if a, b := newKey("memory"), newKey("memory"); a.raw() == b.raw() {
		t.Errorf("two new keys are the same")
	}
}

func TestCreateKeyAtOnce(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "dir", "store.key")
		var wg sync.WaitGroup
		keys, created := make([]Key, 16), make([]bool, 16)
		start := make(chan struct{})
		for i := range keys {
			wg.Go(func() {
				<-start
				var err error
				if keys[i], created[i], err = LoadOrCreateKey(path); err != nil {
					t.Errorf("LoadOrCreateKey = %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		if t.Failed() {
			return
		}
		made := 0
		for i, k := range keys {
			if k.raw() != keys[0].raw() {
				t.Errorf("two callers have two keys")
			}
			if created[i] {
				made++
			}
		}
		if made != 1 {
			t.Errorf("%d callers say that they created the key, want 1", made)
		}
		onlyFile(t, filepath.Dir(path), "store.key")
	}
}

func TestLoadKey(t *testing.T) {
	write := func(data string, mode fs.FileMode) func(string) error {
		return func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(data), mode), os.Chmod(path, mode))
		}
	}
	for _, tt := range []struct {
		name    string
		prepare func(path string) error
		want    string // part of the error, which says what to do; "" is none
	}{
		{"a key with a line break", write(goodKey+"\n", 0o600), ""},
		{"a key without one", write(goodKey, 0o600), ""},
		{"a key that cannot be written to", write(goodKey, 0o400), ""},
		{"a file the group can read", write(goodKey, 0o640), "chmod 600"},
		{"a file everybody can read", write(goodKey, 0o604), "chmod 600"},
		{"an empty file", write("", 0o600), "from a backup"},
		{"half a key", write(goodKey[:32], 0o600), "from a backup"},
		{"more than a key", write(goodKey+"00", 0o600), "from a backup"},
		{"two line breaks", write(goodKey+"\n\n", 0o600), "from a backup"},
		{"no hex digits", write(strings.Repeat("g", 64), 0o600), "hex digits"},
		{"a huge file", write(strings.Repeat("0", 1<<20), 0o600), "more than 4096 bytes"},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, "not a regular file"},
		{"a symbolic link to a key", func(path string) error {
			return errors.Join(os.WriteFile(path+".real", []byte(goodKey), 0o600), os.Symlink(path+".real", path))
		}, "symbolic link"},
		{"a symbolic link to nothing", func(path string) error { return os.Symlink(path+".gone", path) }, "symbolic link"},
		{"a directory where others write", func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(goodKey), 0o600), os.Chmod(filepath.Dir(path), 0o777))
		}, "chmod 700"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.key")
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			_, err := LoadKey(path)
			checkKeyError(t, "LoadKey", path, err, tt.want)
			_, created, err := LoadOrCreateKey(path)
			checkKeyError(t, "LoadOrCreateKey", path, err, tt.want)
			if created {
				t.Errorf("LoadOrCreateKey made a second key")
			}
		})
	}
}

func checkKeyError(t *testing.T, call, path string, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s = %v, want a key", call, err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
		t.Errorf("%s = %v, want an error with %q and the path", call, err, want)
		return
	}
	if strings.Contains(err.Error(), goodKey[:16]) || strings.Contains(err.Error(), "gggg") {
		t.Errorf("%s = %v, which shows what the file holds", call, err)
	}
}

func TestLoadKeyOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "store.key")
	if err := errors.Join(os.WriteFile(path, []byte(goodKey), 0o600), os.Chown(path, 12345, -1)); err != nil {
		t.Fatal(err)
	}
	_, err := LoadKey(path)
	checkKeyError(t, "LoadKey", path, err, "belongs to user 12345")
}

func TestLoadKeyWithoutFile(t *testing.T) {
	if _, err := LoadKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadKey = %v, want %v", err, fs.ErrNotExist)
	}
}

func TestCreateKeyWhereItCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(file, "store.key")
	if _, created, err := LoadOrCreateKey(path); err == nil || created || !strings.Contains(err.Error(), path) {
		t.Errorf("LoadOrCreateKey below a file = %t, %v; want an error that names it", created, err)
	}
}

func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte(goodKey + "\n"))
	f.Add([]byte(strings.ToUpper(goodKey)))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := decodeKey(data, KeyInFile)
		if (err == nil) != (key.raw != nil) {
			t.Errorf("decodeKey(%q) has a key: %t, and the error %v", data, key.raw != nil, err)
		}
		if err != nil && len(data) > 16 && strings.Contains(err.Error(), string(data)) {
			t.Errorf("decodeKey(%q) = %v, which shows it", data, err)
		}
	})
}
