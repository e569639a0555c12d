package providers_test

import (
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
			"https://api.github.com/user",
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
			if len(p.Env()) != len(tt.env) || p.ValidateURL() != tt.validate || p.Description() == "" {
				t.Errorf("Env, ValidateURL, Description = %v, %q, %q", p.Env(), p.ValidateURL(), p.Description())
			}
		})
	}
	if diff := cmp.Diff([]string{"anthropic", "github", "openai"}, set.Names()); diff != "" {
		t.Errorf("Names: -want +got\n%s", diff)
	}
}
