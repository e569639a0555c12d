package credential_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// chainStore returns the store of a new home, and a second one of the same home,
// as another process has it.
func chainStores(t *testing.T) (one, other *credential.FileStore) {
	t.Helper()
	home := t.TempDir()
	open := func() *credential.FileStore {
		dir := filepath.Join(home, "credentials")
		chain := credential.NewKeyChain(credential.KeyOptions{Home: home, Credentials: dir, Prefer: credential.KeyInFile})
		if err := chain.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := chain.Store(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return open(), open()
}

func TestSwapStoresOnlyInPlaceOfWhatWasRead(t *testing.T) {
	for _, tt := range []struct {
		name      string
		meanwhile func(ctx context.Context, s *credential.FileStore) error
		err       error
		want      credential.Secret // stored afterwards; "" for nothing
	}{
		{"nothing happened meanwhile", func(context.Context, *credential.FileStore) error { return nil }, nil, "renewed"},
		{"a new grant stays", func(ctx context.Context, s *credential.FileStore) error {
			return s.Put(ctx, &credential.Credential{Grant: "g", Secret: "granted"})
		}, credential.ErrChanged, "granted"},
		{"the same secret granted again stays", func(ctx context.Context, s *credential.FileStore) error {
			return s.Put(ctx, &credential.Credential{Grant: "g", Secret: "first", CreatedAt: time.Now()})
		}, credential.ErrChanged, "first"},
		{"a revoked one does not come back", func(ctx context.Context, s *credential.FileStore) error {
			return s.Delete(ctx, "g")
		}, credential.ErrNotFound, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, other := chainStores(t)
			if err := s.Put(t.Context(), &credential.Credential{Grant: "g", Secret: "first"}); err != nil {
				t.Fatal(err)
			}
			old, err := s.Get(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			next := *old
			next.Secret = "renewed"
			if err := tt.meanwhile(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			if err := s.Swap(t.Context(), old, &next); !errors.Is(err, tt.err) {
				t.Errorf("Swap = %v, want %v", err, tt.err)
			}
			var have credential.Secret
			if c, err := other.Get(t.Context(), "g"); err == nil {
				have = c.Secret
			}
			if !have.Equal(tt.want) {
				t.Errorf("stored: %q, want %q", have.Reveal(), tt.want.Reveal())
			}
		})
	}
}

func TestHoldIsForOneAtATime(t *testing.T) {
	s, other := chainStores(t)
	synctest.Test(t, func(t *testing.T) {
		release, err := s.Hold(t.Context(), "mcp:linear")
		if err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = other.Hold(soon, "mcp:linear"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second Hold = %v, want that it waits", err)
		}
		free, err := other.Hold(t.Context(), "github")
		if err != nil {
			t.Fatalf("Hold of another grant = %v", err)
		}
		free()
		release()
		again, err := other.Hold(t.Context(), "mcp:linear")
		if err != nil {
			t.Fatalf("Hold after the release = %v", err)
		}
		again()
	})
}
