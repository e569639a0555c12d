package credential_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
)

func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "credentials")
	if got, err := credential.Names(dir); got != nil || err != nil {
		t.Errorf("Names of a directory that does not exist: %q, %v; want none", got, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "profiles.sealed"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"github.sealed", "github%3aorg%2frepo.sealed", "aws.sealed", "aws", ".tmp-1", "BAD.sealed"} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"aws", "github", "github:org/repo"}
	if got, err := credential.Names(dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("Names: %q, %v; want %q", got, err, want)
	}
}
