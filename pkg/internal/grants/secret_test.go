package grants_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/grants"
)

func TestSecret(t *testing.T) {
	store := storeWith(t, map[string]credential.Secret{
		"mcp:linear": "lin_secret", "mcp": "for-none", "mcp:basic": "Basic dXNlcjpwYXNz", "mcp:bad": "two\nlines",
		"github": "ghp_secret", "aws": "aws_access_key_id=A\naws_secret_access_key=s3cret",
	})
	for _, tt := range []struct {
		name, grant, want string
		err               error    // nil where errText is "" too
		errText           string   // part of it
		seen              []string // told, at least
	}{
		{name: "that of an MCP server", grant: "mcp:linear", want: "lin_secret", seen: []string{"lin_secret"}},
		{name: "one with a scheme: the token is told by itself too", grant: "mcp:basic", want: "Basic dXNlcjpwYXNz", seen: []string{"dXNlcjpwYXNz"}},
		{name: "one that is not stored, though there is one of the kind", grant: "mcp:notion", err: grants.ErrNoCredential, errText: "run `moat grant mcp:notion`"},
		{name: "one that no header can hold", grant: "mcp:bad", errText: "no header may hold"},
		{name: "that of a provider", grant: "github", want: "ghp_secret", seen: []string{"ghp_secret", "Bearer ghp_secret"}},
		{name: "that of a provider, for a scope", grant: "github:org", want: "ghp_secret"},
		{name: "keys of several lines", grant: "aws", want: "aws_access_key_id=A\naws_secret_access_key=s3cret"},
		{name: "of no provider", grant: "nobody", err: grants.ErrUnknownProvider, errText: "nobody"},
		{name: "of a name that is none", grant: "A B", errText: "must be 1 to 64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen []string
			r := newResolver(t, grants.Options{Store: store, Seen: func(s string) { seen = append(seen, s) }})
			got, err := r.Secret(t.Context(), tt.grant)
			if got.Reveal() != tt.want || (err == nil) != (tt.errText == "") || tt.err != nil && !errors.Is(err, tt.err) {
				t.Fatalf("Secret(%s) = %q, %v; want %q, %v", tt.grant, got.Reveal(), err, tt.want, tt.err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.errText) || strings.Contains(err.Error(), "two")) {
				t.Errorf("error = %q, want %q in it and no secret", err, tt.errText)
			}
			for _, s := range tt.seen {
				if !slices.Contains(seen, s) {
					t.Errorf("seen %q, want %q among them", seen, s)
				}
			}
		})
	}
}

func TestKeptGrantsConfigureNothing(t *testing.T) {
	r := newResolver(t, grants.Options{Store: storeWith(t, map[string]credential.Secret{"mcp:linear": "x"})})
	var run recorder
	if err := r.Configure(t.Context(), "mcp:linear", &run); err != nil || len(run.calls) > 0 || r.Hosts("mcp:linear") != nil {
		t.Errorf("Configure = %v, %v, for %v; want nothing for no host", err, run.calls, r.Hosts("mcp:linear"))
	}
}

func TestKeptProviders(t *testing.T) {
	r := newResolver(t, grants.Options{Store: storeWith(t, nil)})
	for grant, want := range map[string]bool{"mcp:a": true, "mcp": true, "aws": true, "github": false} {
		if p, ok := r.Provider(grant); !ok || p.Kept() != want {
			t.Errorf("Provider(%s) = %v, kept %v; want %v", grant, ok, ok && p.Kept(), want)
		}
	}
}
