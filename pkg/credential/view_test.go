package credential

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAViewChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "credentials")
	key := newKey("memory")
	if _, err := ViewFileStore(dir, key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ViewFileStore of no directory = %v, want fs.ErrNotExist", err)
	}
	s, err := OpenFileStore(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Put(t.Context(), &Credential{Grant: "github", Secret: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, tempPrefix+"left")
	if err = os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * tempAge)
	if err = errors.Join(os.Chtimes(left, old, old), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	view, err := ViewFileStore(dir, key)
	if err != nil {
		t.Fatalf("ViewFileStore = %v", err)
	}
	if c, err := view.Get(t.Context(), "github"); err != nil || c.Secret != "s3cret" {
		t.Errorf("Get through the view: %v, want the credential", err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("the view has tidied up: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory is %v (%v), want the mode as it was", info.Mode(), err)
	}
}
