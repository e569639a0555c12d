package credential_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moatd/moatd/pkg/credential"
)

func TestFileStore(t *testing.T) {
	testStore(t, func(t *testing.T) credential.Store {
		t.Helper()
		return openStore(t, filepath.Join(t.TempDir(), "credentials"))
	})
}

func TestMemStore(t *testing.T) {
	testStore(t, func(*testing.T) credential.Store { return credential.NewMemStore() })
}

// openStore opens a store whose key lies beside its directory.
func openStore(tb testing.TB, dir string) *credential.FileStore {
	tb.Helper()
	key, _, err := credential.LoadOrCreateKey(filepath.Join(filepath.Dir(dir), "store.key"))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := credential.OpenFileStore(dir, key)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func mustPut(tb testing.TB, s credential.Store, cs ...credential.Credential) {
	tb.Helper()
	for _, c := range cs {
		if err := s.Put(tb.Context(), &c); err != nil {
			tb.Fatal(err)
		}
	}
}

var full = credential.Credential{
	Grant: "github:Org/repo", Secret: "ghp_secret\xff\x00", Source: "env:GH_TOKEN",
	CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600)),
	ExpiresAt: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
}

// testStore is the contract of [credential.Store]; every implementation runs it.
func testStore(t *testing.T, open func(t *testing.T) credential.Store) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s credential.Store)
	}{
		{"what was put is got whole", testPutGet},
		{"the second put replaces the first", testReplace},
		{"what is got is the caller's own", testNoSharing},
		{"what is not there is not found", testNotFound},
		{"what was deleted is gone, and can be put again", testDelete},
		{"a list is sorted and has no secrets", testList},
		{"names and secrets that no store takes", testRefused},
		{"an ended context ends every call", testContext},
		{"puts, gets and deletes at once", testConcurrent},
		{"a fingerprint tells secrets apart", testFingerprint},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func testPutGet(t *testing.T, s credential.Store) {
	t.Helper()
	bare := credential.Credential{Grant: "openai", Secret: "k"}
	long := credential.Credential{Grant: "long", Secret: credential.Secret(strings.Repeat("x", 64<<10))}
	mustPut(t, s, full, bare, long)
	for _, want := range []credential.Credential{full, bare, long} {
		got, err := s.Get(t.Context(), want.Grant)
		if err != nil {
			t.Errorf("Get(%s) = %v", want.Grant, err)
		} else if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("Get(%s): -want +got\n%s", want.Grant, diff)
		}
	}
}

func testReplace(t *testing.T, s credential.Store) {
	t.Helper()
	mustPut(t, s, full, credential.Credential{Grant: full.Grant, Secret: "new"})
	got, err := s.Get(t.Context(), full.Grant)
	if err != nil || got.Secret.Reveal() != "new" || got.Source != "" || !got.ExpiresAt.IsZero() {
		t.Errorf("Get = %+v, %v; want nothing of the first", got, err)
	}
}

func testNoSharing(t *testing.T, s credential.Store) {
	t.Helper()
	c := full
	if err := s.Put(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	c.Secret = "changed after Put"
	got, err := s.Get(t.Context(), full.Grant)
	if err != nil {
		t.Fatal(err)
	}
	got.Secret = "changed after Get"
	again, err := s.Get(t.Context(), full.Grant)
	if err != nil || !again.Equal(full) {
		t.Errorf("Get = %+v, %v; want %+v", again, err, full)
	}
}

func testNotFound(t *testing.T, s credential.Store) {
	t.Helper()
	mustPut(t, s, credential.Credential{Grant: "github", Secret: "x"})
	for _, grant := range []string{"openai", "github:Org/repo", "git"} {
		if c, err := s.Get(t.Context(), grant); !errors.Is(err, credential.ErrNotFound) || !strings.Contains(err.Error(), grant) {
			t.Errorf("Get(%s) = %v, %v; want %v and the name", grant, c, err, credential.ErrNotFound)
		}
		if err := s.Delete(t.Context(), grant); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Delete(%s) = %v, want %v", grant, err, credential.ErrNotFound)
		}
	}
}

func testDelete(t *testing.T, s credential.Store) {
	t.Helper()
	for range 2 {
		mustPut(t, s, full)
		if err := s.Delete(t.Context(), full.Grant); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), full.Grant); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Get after Delete = %v, want %v", err, credential.ErrNotFound)
		}
	}
}

func testList(t *testing.T, s credential.Store) {
	t.Helper()
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("List of an empty store = %v, %v; want nothing", all, err)
	}
	mustPut(t, s, credential.Credential{Grant: "openai", Secret: "a"}, full, credential.Credential{Grant: "github", Secret: "b"},
		credential.Credential{Grant: "github:org/repo", Secret: "c"})
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	scoped := full
	scoped.Secret = ""
	want := []credential.Credential{{Grant: "github"}, scoped, {Grant: "github:org/repo"}, {Grant: "openai"}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("List: -want +got\n%s", diff)
	}
}

func testRefused(t *testing.T, s credential.Store) {
	t.Helper()
	for _, c := range []credential.Credential{
		{Grant: "", Secret: "x"},
		{Grant: "../escape", Secret: "x"},
		{Grant: "github:", Secret: "x"},
		{Grant: "github"},
		{Grant: "github", Secret: credential.Secret(strings.Repeat("x", 64<<10+1))},
	} {
		if err := s.Put(t.Context(), &c); err == nil {
			t.Errorf("Put(%q, %d bytes) = nil, want an error", c.Grant, len(c.Secret))
		}
	}
	if _, err := s.Get(t.Context(), "../escape"); err == nil || errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get(../escape) = %v, want an error about the name", err)
	}
	if err := s.Delete(t.Context(), "../escape"); err == nil || errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Delete(../escape) = %v, want an error about the name", err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("List = %v, %v; want nothing, as all was refused", all, err)
	}
}

func testContext(t *testing.T, s credential.Store) {
	t.Helper()
	mustPut(t, s, full)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, get := s.Get(ctx, full.Grant)
	put := s.Put(ctx, &credential.Credential{Grant: full.Grant, Secret: "late"})
	del := s.Delete(ctx, full.Grant)
	_, list := s.List(ctx)
	for call, err := range map[string]error{"Get": get, "Put": put, "Delete": del, "List": list} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want %v", call, err, context.Canceled)
		}
	}
	if got, err := s.Get(t.Context(), full.Grant); err != nil || !got.Equal(full) {
		t.Errorf("Get = %+v, %v; want what was there before", got, err)
	}
}

func testConcurrent(t *testing.T, s credential.Store) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				text := fmt.Sprintf("%d/%d", i, j)
				c := credential.Credential{Grant: "github", Secret: credential.Secret(text), Source: text}
				if err := s.Put(t.Context(), &c); err != nil {
					t.Errorf("Put = %v", err)
				}
				got, err := s.Get(t.Context(), "github")
				switch {
				case err == nil && got.Secret.Reveal() != got.Source:
					t.Errorf("Get = the secret %s with the source %s, mixed of two", got.Secret.Reveal(), got.Source)
				case err != nil && !errors.Is(err, credential.ErrNotFound):
					t.Errorf("Get = %v", err)
				}
				if _, err := s.List(t.Context()); err != nil {
					t.Errorf("List = %v", err)
				}
				if err := s.Delete(t.Context(), "github"); err != nil && !errors.Is(err, credential.ErrNotFound) {
					t.Errorf("Delete = %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func testFingerprint(t *testing.T, s credential.Store) {
	t.Helper()
	c := credential.Credential{Grant: "github", Secret: "a"}
	if got := c.Fingerprint(); got != "" {
		t.Errorf("Fingerprint before Put = %q, want none", got)
	}
	if err := s.Put(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, credential.Credential{Grant: "other", Secret: "b"}, credential.Credential{Grant: "same", Secret: "a"})
	all, err := s.List(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("List = %v, %v; want three", all, err)
	}
	put, first, other, same := c.Fingerprint(), all[0].Fingerprint(), all[1].Fingerprint(), all[2].Fingerprint()
	if len(put) != 8 || first != put || other == put || same != put {
		t.Errorf("Fingerprint after Put, listed, of another, of the same = %s, %s, %s, %s", put, first, other, same)
	}
}
