package pki

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// saved returns a CA and the directory that it is saved in.
func saved(t *testing.T) (ca *CA, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "home", "ca")
	ca = mustCreate(t)
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	return ca, dir
}

func TestSaveThenLoad(t *testing.T) {
	ca, dir := saved(t)
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !got.cert.Equal(ca.cert) {
		t.Errorf("Load gave another certificate than was saved")
	}
	leaf, err := NewLeaves(got).Get("a.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(leaf, ca, "a.example"); err != nil {
		t.Errorf("a leaf of the CA that was loaded, under the one that was saved: %v", err)
	}
}

func TestSaveKeepsTheKeyToOneself(t *testing.T) {
	_, dir := saved(t)
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		got[d.Name()] = info.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{"ca": fs.ModeDir | 0o700, "ca.key": 0o600, "ca.crt": 0o644}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Save left other files or modes (-want +got):\n%s", diff)
	}
}

func TestSaveNarrowsADirectoryThatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mustCreate(t).Save(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("after Save the directory is %v, %v; want mode 0700", info.Mode(), err)
	}
}

func TestSaveSaysWhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if err := mustCreate(t).Save(file); err == nil || !strings.Contains(err.Error(), "save the CA to "+file) {
		t.Errorf("Save(%q), which is a file, = %v", file, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"a certificate without its key", remove(keyFile), "ca.crt is there but ca.key is not"},
		{"a key without its certificate", remove(certFile), "ca.key is there but ca.crt is not"},
		{"a key of another CA", func(t *testing.T, dir string) {
			t.Helper()
			_, other := saved(t)
			write(t, filepath.Join(dir, keyFile), string(content(t, other, keyFile)))
		}, "ca.key is not the key of ca.crt"},
		{"a key that a group may read", chmod(0o640), "(mode 0640); run chmod 600"},
		{"a key that all may write", chmod(0o602), "(mode 0602); run chmod 600"},
		{"a certificate that is no PEM", replace(certFile, "x"), "ca.crt does not begin with a PEM block of type CERTIFICATE"},
		{"a certificate that is none inside", replace(certFile, block(pemCertificate, "x")), "parse "},
		{"an empty key", replace(keyFile, ""), "ca.key does not begin with a PEM block of type PRIVATE KEY"},
		{"a key of another format", replace(keyFile, block("EC PRIVATE KEY", "x")), "of type PRIVATE KEY"},
		{"a key that is none inside", replace(keyFile, block(pemKey, "x")), "not a private key in PKCS #8"},
		{"a key of another kind", replace(keyFile, block(pemKey, ed25519Key(t))), "and only ECDSA is known"},
		{"a certificate that is no CA's", leafAsCA, "not the certificate of a CA"},
		{"an expired CA", expire, "ca.crt expired on 2020-01-01; delete both files"},
		{"a key that is a directory", func(t *testing.T, dir string) {
			t.Helper()
			remove(keyFile)(t, dir)
			if err := os.Mkdir(filepath.Join(dir, keyFile), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, dir := saved(t)
			tt.damage(t, dir)
			ca, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) || ca != nil {
				t.Errorf("Load = %v, %v; want an error with %q and the directory", ca, err, tt.want)
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Load = %v, which wraps %v though there are files", err, fs.ErrNotExist)
			}
		})
	}
}

func TestLoadOfNothing(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "absent")} {
		if ca, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load(%q) = %v, %v; want %v", dir, ca, err, fs.ErrNotExist)
		}
	}
}

func TestLoadOrCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first, created, err := LoadOrCreate(dir, time.Now())
	if err != nil || !created {
		t.Fatalf("LoadOrCreate of nothing = %v, %t, %v; want a new CA", first, created, err)
	}
	second, created, err := LoadOrCreate(dir, time.Now())
	if err != nil || created || !second.cert.Equal(first.cert) {
		t.Errorf("LoadOrCreate again = %v, %t, %v; want the same CA", second, created, err)
	}
}

func TestLoadOrCreateAfterACutBetweenTheFiles(t *testing.T) {
	before, dir := saved(t)
	key := content(t, dir, keyFile)
	remove(certFile)(t, dir)
	ca, created, err := LoadOrCreate(dir, time.Now())
	if err != nil || !created {
		t.Fatalf("LoadOrCreate of a key alone = %v, %t, %v; want a CA of that key", ca, created, err)
	}
	if !bytes.Equal(content(t, dir, keyFile), key) {
		t.Error("LoadOrCreate of a key alone made another key")
	}
	if !bytes.Equal(ca.cert.RawSubject, before.cert.RawSubject) {
		t.Errorf("LoadOrCreate of a key alone made %v, want %v", ca.cert.Subject, before.cert.Subject)
	}
	if _, err := Load(dir); err != nil {
		t.Errorf("Load after LoadOrCreate = %v", err)
	}
}

func TestLoadOrCreateReplacesNothing(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, string){
		"a lost key": remove(keyFile), "an open key": chmod(0o644), "an expired CA": expire, "a damaged key": replace(keyFile, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := saved(t)
			damage(t, dir)
			before := content(t, dir, certFile)
			if ca, created, err := LoadOrCreate(dir, time.Now()); err == nil || created || ca != nil {
				t.Errorf("LoadOrCreate = %v, %t, %v; want an error", ca, created, err)
			}
			if !bytes.Equal(content(t, dir, certFile), before) {
				t.Error("LoadOrCreate changed the certificate, which runs may trust")
			}
		})
	}
}

func TestLoadOrCreateSaysWhatFailed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if ca, created, err := LoadOrCreate(filepath.Join(file, "ca"), time.Now()); err == nil || created || ca != nil {
		t.Errorf("LoadOrCreate below a file = %v, %t, %v; want an error", ca, created, err)
	}
	_, dir := saved(t)
	remove(certFile)(t, dir)
	chmod(0o644)(t, dir)
	if ca, _, err := LoadOrCreate(dir, time.Now()); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("LoadOrCreate of an open key alone = %v, %v; want an error", ca, err)
	}
}

func TestErrorsDoNotQuoteTheKey(t *testing.T) {
	_, dir := saved(t)
	key := string(content(t, dir, keyFile))
	replace(keyFile, strings.Replace(key, "PRIVATE KEY", "SECRET KEY", 2))(t, dir)
	if _, err := Load(dir); err == nil || strings.Contains(err.Error(), strings.Split(key, "\n")[1]) {
		t.Errorf("Load = %v, want an error without the key", err)
	}
}

func content(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func block(kind, data string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(data)}))
}

func ed25519Key(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

// What follows damages the CA in a directory.

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func replace(name, data string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		write(t, filepath.Join(dir, name), data) // the mode stays what it was
	}
}

func chmod(mode fs.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Chmod(filepath.Join(dir, keyFile), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func leafAsCA(t *testing.T, dir string) {
	t.Helper()
	leaf, err := NewLeaves(mustCreate(t)).Get("a.example")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	replace(certFile, block(pemCertificate, string(leaf.Certificate[0])))(t, dir)
	replace(keyFile, block(pemKey, string(key)))(t, dir)
}

func expire(t *testing.T, dir string) {
	t.Helper()
	ca, err := Create(time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
}
