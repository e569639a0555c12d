package providers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// What the built-in providers do is public: containers and policies rely on it.
func TestBuiltin(t *testing.T) {
	set, err := providers.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, provider, secret string
		calls, hosts, env      []string // env: the names
		validate               string
	}{
		{
			"github has Bearer for its API and Basic for git", "github", "ghp_s3cret",
			[]string{
				"set api.github.com Authorization: Bearer ghp_s3cret (g)",
				"set github.com Authorization: Basic eC1hY2Nlc3MtdG9rZW46Z2hwX3MzY3JldA== (g)",
				"set raw.githubusercontent.com Authorization: Bearer ghp_s3cret (g)",
				"set uploads.github.com Authorization: Bearer ghp_s3cret (g)",
			},
			[]string{"api.github.com", "github.com", "raw.githubusercontent.com", "uploads.github.com"},
			[]string{"GH_TOKEN", "GITHUB_TOKEN"},
			"https://api.github.com/rate_limit",
		},
		{
			"anthropic has its key in x-api-key, and no other beside it", "anthropic", "sk-ant-s3cret",
			[]string{
				"remove api.anthropic.com Authorization",
				"set api.anthropic.com x-api-key: sk-ant-s3cret (g)",
			},
			[]string{"api.anthropic.com"},
			[]string{"ANTHROPIC_API_KEY"},
			"https://api.anthropic.com/v1/models",
		},
		{
			"openai has Bearer", "openai", "sk-s3cret",
			[]string{"set api.openai.com Authorization: Bearer sk-s3cret (g)"},
			[]string{"api.openai.com"},
			[]string{"OPENAI_API_KEY"},
			"https://api.openai.com/v1/models",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, ok := set.Get(tt.provider)
			if !ok {
				t.Fatalf("Get(%s) = false", tt.provider)
			}
			secret := providers.TrimSecret(tt.secret)
			if err := p.Check(secret); err != nil {
				t.Errorf("Check = %v", err)
			}
			var got recorder
			p.Configure("g", secret, &got)
			if diff := cmp.Diff(tt.calls, got.sorted(t)); diff != "" {
				t.Errorf("Configure: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(tt.hosts, p.Hosts()); diff != "" {
				t.Errorf("Hosts: -want +got\n%s", diff)
			}
			for _, name := range tt.env {
				if p.Env()[name] == "" {
					t.Errorf("Env has no %s", name)
				}
			}
			if v, ok := p.Validation(); len(p.Env()) != len(tt.env) || v.URL != tt.validate || !ok || p.Description() == "" {
				t.Errorf("Env, Validation, Description = %v, %+v, %q", p.Env(), v, p.Description())
			}
		})
	}
	want := []string{
		"anthropic", "brave-search", "claude", "datadog", "datadog-app", "elevenlabs", "gemini", "gemini-oauth", "github", "gitlab",
		"graphite", "linear", "npm", "openai", "sentry", "telegram", "vercel",
	}
	if diff := cmp.Diff(want, set.Names()); diff != "" {
		t.Errorf("Names: -want +got\n%s", diff)
	}
}

// TestBuiltinScopes shows which paths a grant with a scope is for.
func TestBuiltinScopes(t *testing.T) {
	set, err := providers.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	const basic, bearer = " Authorization: Basic", " Authorization: Bearer"
	for _, tt := range []struct {
		grant string
		want  []string // up to the secret
	}{
		{"github:Acme/App", []string{
			"lend api.github.com/graphql" + bearer, "lend api.github.com/meta" + bearer, "lend api.github.com/orgs/acme" + bearer,
			"lend api.github.com/rate_limit" + bearer, "lend api.github.com/user" + bearer, "lend api.github.com/users/acme" + bearer,
			"set api.github.com/orgs/acme/app" + bearer, "set api.github.com/repos/acme/app" + bearer, "set api.github.com/users/acme/app" + bearer,
			"set github.com/acme/app" + basic, "set github.com/acme/app.git" + basic,
			"set raw.githubusercontent.com/acme/app" + bearer, "set uploads.github.com/repos/acme/app" + bearer,
		}},
		{"gitlab:acme", []string{
			"lend gitlab.com/api/graphql PRIVATE-TOKEN:", "lend gitlab.com/api/v4/user PRIVATE-TOKEN:",
			"query gitlab.com", "query gitlab.com", "query gitlab.com", "remove gitlab.com",
			"set gitlab.com/acme" + basic, "set gitlab.com/acme.git" + basic,
			"set gitlab.com/api/v4/groups/acme PRIVATE-TOKEN:", "set gitlab.com/api/v4/projects/acme PRIVATE-TOKEN:",
		}},
		{"gitlab", []string{
			"query gitlab.com", "query gitlab.com", "query gitlab.com", "remove gitlab.com",
			"set gitlab.com" + basic, "set gitlab.com/api PRIVATE-TOKEN:",
		}},
	} {
		t.Run(tt.grant, func(t *testing.T) {
			name, _, _ := strings.Cut(tt.grant, ":")
			p, ok := set.Get(name)
			if !ok {
				t.Fatalf("there is no %s", name)
			}
			var got recorder
			p.Configure(tt.grant, "s3cret", &got)
			calls := got.sorted(t)
			for i, call := range calls {
				words := strings.Fields(call)
				if strings.HasSuffix(call, ")") { // a credential: without the secret and the grant
					calls[i] = strings.Join(words[:len(words)-2], " ")
				} else {
					calls[i] = strings.Join(words[:2], " ")
				}
			}
			if diff := cmp.Diff(tt.want, calls); diff != "" {
				t.Errorf("Configure(%s): -want +got\n%s", tt.grant, diff)
			}
		})
	}
}
