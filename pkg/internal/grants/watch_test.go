package grants_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/grants"
)

// limit is when a test gives up on an event; nothing waits for it when all is well.
const limit = 20 * time.Second

// startWatch watches dirs until the test ends, and returns once it sees changes.
func startWatch(t *testing.T, dirs ...string) (changed <-chan struct{}, done <-chan error, cancel func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, result := make(chan struct{}, 100), make(chan error, 1)
	go func() { result <- grants.Watch(ctx, dirs, func() { changes <- struct{}{} }) }()
	t.Cleanup(cancel)
	await(t, changes, "the call at the start")
	return changes, result, cancel
}

func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(limit):
		t.Fatalf("no sign of %s for %v", what, limit)
	}
	return v
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := errors.Join(os.Mkdir(one, 0o700), os.Mkdir(two, 0o700)); err != nil {
		t.Fatal(err)
	}
	changed, done, cancel := startWatch(t, one, two)
	for _, tt := range []struct { // one after the other
		name   string
		change func() error
	}{
		{"a new file", func() error { return os.WriteFile(filepath.Join(one, "f"), []byte("x"), 0o600) }},
		{"a changed one", func() error { return os.WriteFile(filepath.Join(one, "f"), []byte("y"), 0o600) }},
		{"one moved in", func() error { return os.Rename(filepath.Join(one, "f"), filepath.Join(two, "f")) }},
		{"a removed one", func() error { return os.Remove(filepath.Join(two, "f")) }},
	} {
		if err := tt.change(); err != nil {
			t.Fatal(err)
		}
		await(t, changed, tt.name)
	}
	cancel()
	if err := await(t, done, "Watch's end"); err != nil {
		t.Errorf("Watch after its context ended = %v, want nil", err)
	}
}

func TestWatchSeesGrantAndRevoke(t *testing.T) {
	home := t.TempDir()
	key, _, err := credential.LoadOrCreateKey(filepath.Join(home, "store.key"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := credential.OpenFileStore(filepath.Join(home, "credentials"), key)
	if err != nil {
		t.Fatal(err)
	}
	changed, _, _ := startWatch(t, store.Dir())
	for range 2 { // granted, granted anew
		if err := store.Put(t.Context(), &credential.Credential{Grant: "github", Secret: "x"}); err != nil {
			t.Fatal(err)
		}
		await(t, changed, "a grant")
	}
	if err := store.Delete(t.Context(), "github"); err != nil {
		t.Fatal(err)
	}
	await(t, changed, "a revoke")
}

func TestWatchEndsWithItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	changed, done, _ := startWatch(t, dir+"/")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done, "Watch's end"); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Watch = %v, want an error that names %s", err, dir)
	}
	await(t, changed, "the last change")
}

func TestWatchNeedsItsDirectories(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	err := grants.Watch(t.Context(), []string{none}, func() { t.Error("changed was called") })
	if err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("Watch = %v, want an error that names %s", err, none)
	}
}
