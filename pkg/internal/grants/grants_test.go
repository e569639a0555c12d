package grants_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/grants"
)

// storeWith is a store with secrets, by grant.
func storeWith(tb testing.TB, secrets map[string]credential.Secret) credential.Store {
	tb.Helper()
	s := credential.NewMemStore()
	for grant, secret := range secrets {
		if err := s.Put(tb.Context(), &credential.Credential{Grant: grant, Secret: secret}); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func newResolver(tb testing.TB, opts grants.Options) *grants.Resolver {
	tb.Helper()
	r, err := grants.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// writeFile puts data into a file of a directory, as an editor would.
func writeFile(tb testing.TB, dir, name, data string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// mine is the file of a provider of that name.
func mine(host string) string { return "name: mine\ninject: [{hosts: [" + host + "]}]\n" }

// failing is a store whose record of one grant is damaged.
type failing struct {
	credential.Store

	grant string
}

func (f failing) Get(ctx context.Context, grant string) (*credential.Credential, error) {
	if grant == f.grant {
		return nil, credential.ErrDamaged
	}
	return f.Store.Get(ctx, grant)
}

func TestConfigure(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "bad.yaml", "name: bad\n")
	writeFile(t, dir, "mine.yaml", mine("mine.example"))
	store := storeWith(t, map[string]credential.Secret{
		"openai": "all", "openai:org": "org", "mine:x": "scoped", "anthropic": "two\nlines", "bad": "x", "other": "x",
	})
	for _, tt := range []struct {
		name  string
		store credential.Store
		grant string
		want  string // the only call, if err is nil
		err   error  // nil with want empty: any
		says  string // part of the error
	}{
		{"a grant has its own credential", store, "openai", "set api.openai.com Authorization: Bearer all (openai)", nil, ""},
		{"a scope has its own credential first", store, "openai:org", "set api.openai.com Authorization: Bearer org (openai:org)", nil, ""},
		{"a scope without one has the provider's, under its own name", store, "openai:else", "set api.openai.com Authorization: Bearer all (openai:else)", nil, ""},
		{"a user's provider", store, "mine:x", "set mine.example Authorization: scoped (mine:x)", nil, ""},
		{"a provider has not the credential of a scope", store, "mine", "", grants.ErrNoCredential, "run `moat grant mine`"},
		{"nothing stored", store, "github", "", grants.ErrNoCredential, "grant github: no credential; run `moat grant github`"},
		{"nothing stored for a scope", store, "github:o/r", "", grants.ErrNoCredential, "run `moat grant github:o/r`"},
		{"a provider that nobody knows", store, "other", "", grants.ErrUnknownProvider, "grant other: unknown provider other"},
		{"a provider whose file is bad", store, "bad:x", "", grants.ErrUnknownProvider, "bad.yaml:1: neither inject nor substitute"},
		{"no name of a grant", store, "../x", "", nil, "the part before a colon"},
		{"a damaged record", failing{store, "openai"}, "openai", "", credential.ErrDamaged, "grant openai"},
		{"a damaged record of a scope does not mean the provider's", failing{store, "openai:org"}, "openai:org", "", credential.ErrDamaged, "grant openai:org"},
		{"a damaged record of the provider's", failing{store, "openai"}, "openai:else", "", credential.ErrDamaged, "grant openai:else"},
		{"a secret that no header may hold", store, "anthropic", "", nil, "position 4; run `moat grant anthropic` again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen []string
			r := newResolver(t, grants.Options{
				Store: tt.store, ProvidersDir: dir, Seen: func(s string) { seen = append(seen, s) },
			})
			var got recorder
			err := r.Configure(t.Context(), tt.grant, &got)
			if tt.want != "" {
				if err != nil || !cmp.Equal(got.calls, []string{tt.want}) {
					t.Errorf("Configure(%s) = %v and called %q, want %q", tt.grant, err, got.calls, tt.want)
				}
				return
			}
			if err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Configure(%s) = %v, want %v with %q", tt.grant, err, tt.err, tt.says)
			}
			if len(got.calls)+len(seen) != 0 || strings.Contains(err.Error(), "\n") {
				t.Errorf("Configure(%s) = %q, and called %q; want one line and no call", tt.grant, err, got.calls)
			}
		})
	}
}

// order records what is seen and what is set in one list.
type order struct {
	*recorder

	seen []string
}

func (o *order) SetCredentialWithGrant(host, name, value, grant string) {
	if !slices.Contains(o.seen, value) {
		o.calls = append(o.calls, "unseen at "+host)
	}
	o.recorder.SetCredentialWithGrant(host, name, value, grant)
}

func TestSecretsAreSeenBeforeTheyAreSet(t *testing.T) {
	o := &order{recorder: new(recorder)}
	r := newResolver(t, grants.Options{
		Store: storeWith(t, map[string]credential.Secret{"github": "ghp_s3cret"}),
		Seen:  func(s string) { o.seen = append(o.seen, s) },
	})
	if err := r.Configure(t.Context(), "github", o); err != nil {
		t.Fatal(err)
	}
	for _, call := range o.calls {
		if strings.HasPrefix(call, "unseen") {
			t.Error(call)
		}
	}
	basic := "eC1hY2Nlc3MtdG9rZW46Z2hwX3MzY3JldA=="
	for _, want := range []string{"ghp_s3cret", "Bearer ghp_s3cret", "Basic " + basic, basic} {
		if !slices.Contains(o.seen, want) {
			t.Errorf("seen: %q, without %q", o.seen, want)
		}
	}
}

func TestConfigureEndsWithItsContext(t *testing.T) {
	r := newResolver(t, grants.Options{Store: storeWith(t, map[string]credential.Secret{"github": "x"})})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Configure(ctx, "github", new(recorder)); !errors.Is(err, context.Canceled) {
		t.Errorf("Configure = %v, want %v", err, context.Canceled)
	}
}

func TestHostsAndEnvNeedNoCredential(t *testing.T) {
	r := newResolver(t, grants.Options{Store: credential.NewMemStore()})
	for _, tt := range []struct {
		name, grant string
		hosts       []string
		env         string // one of the variables; "" is none at all
	}{
		{"a provider", "openai", []string{"api.openai.com"}, "OPENAI_API_KEY"},
		{"a scope", "openai:org", []string{"api.openai.com"}, "OPENAI_API_KEY"},
		{"an unknown provider", "other", nil, ""},
		{"no name of a grant", "a b", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hosts, env := r.Hosts(tt.grant), r.Env(tt.grant)
			if !cmp.Equal(hosts, tt.hosts) || (tt.env == "") != (env == nil) || tt.env != "" && env[tt.env] == "" {
				t.Errorf("Hosts, Env(%s) = %q, %q; want %q, and %q set", tt.grant, hosts, env, tt.hosts, tt.env)
			}
			if p, ok := r.Provider(tt.grant); ok != (tt.hosts != nil) || ok && p.Name() != "openai" {
				t.Errorf("Provider(%s) = %v, %t", tt.grant, p, ok)
			}
		})
	}
}

func TestNewNeedsAStore(t *testing.T) {
	if _, err := grants.New(grants.Options{}); err == nil {
		t.Error("New without a store = nil, want an error")
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "mine.yaml", mine("one.example"))
	r := newResolver(t, grants.Options{Store: credential.NewMemStore(), ProvidersDir: dir})
	for _, tt := range []struct { // one after the other
		name     string
		change   func()
		mine     []string
		problems int
	}{
		{"nothing changed", func() {}, []string{"one.example"}, 0},
		{"a good change counts", func() { writeFile(t, dir, "mine.yaml", mine("two.example")) }, []string{"two.example"}, 0},
		{"a bad one leaves what was", func() { writeFile(t, dir, "mine.yaml", "name: mine\n") }, []string{"two.example"}, 1},
		{"still, at the next reload", func() {}, []string{"two.example"}, 1},
		{"it is mended", func() { writeFile(t, dir, "mine.yaml", mine("three.example")) }, []string{"three.example"}, 0},
		{"it is removed", func() { os.Remove(filepath.Join(dir, "mine.yaml")) }, nil, 0},
		{"a bad new one is not there", func() { writeFile(t, dir, "mine.yaml", "[") }, nil, 1},
		{"the directory is removed", func() { os.RemoveAll(dir) }, nil, 0},
	} {
		tt.change()
		err := r.Reload()
		if got := r.Hosts("mine"); !cmp.Equal(got, tt.mine) {
			t.Errorf("%s: Hosts(mine) = %q, want %q", tt.name, got, tt.mine)
		}
		if got := r.Problems(); len(got) != tt.problems || (err != nil) != (tt.problems != 0) {
			t.Errorf("%s: Reload = %v, Problems = %v; want %d", tt.name, err, got, tt.problems)
		}
	}
}

func TestABadFileAtTheStartIsAProblemAndNoError(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "github.yaml", "name: github\n")
	r := newResolver(t, grants.Options{Store: storeWith(t, map[string]credential.Secret{"github": "x"}), ProvidersDir: dir})
	if got := r.Problems(); len(got) != 1 || !strings.Contains(got[0].Error(), "github.yaml:1") {
		t.Errorf("Problems = %v, want that of github.yaml", got)
	}
	if r.Hosts("github") != nil || r.Hosts("openai") == nil {
		t.Errorf("Hosts(github), Hosts(openai) = %q, %q; want only the second", r.Hosts("github"), r.Hosts("openai"))
	}
}

func TestResolverAtOnce(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "mine.yaml", mine("a.example"))
	r := newResolver(t, grants.Options{Store: storeWith(t, map[string]credential.Secret{"mine": "x"}), ProvidersDir: dir})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if err := r.Configure(t.Context(), "mine", new(recorder)); err != nil {
					t.Errorf("Configure = %v", err)
				}
				if err := r.Reload(); err != nil {
					t.Errorf("Reload = %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkConfigure(b *testing.B) {
	r := newResolver(b, grants.Options{Store: storeWith(b, map[string]credential.Secret{"github": "ghp_s3cret"})})
	for b.Loop() {
		if err := r.Configure(b.Context(), "github", new(recorder)); err != nil {
			b.Fatal(err)
		}
	}
}
