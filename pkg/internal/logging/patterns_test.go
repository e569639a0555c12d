package logging

import (
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	token := strings.Repeat("0123456789abcdef", 4)
	bytes := "[" + strings.TrimSpace(strings.Repeat("48 ", 64)) + "]"
	tests := []struct{ name, in, want string }{
		{"64 hex digits", "token " + token + ".", "token [redacted]."},
		{"in upper case", strings.ToUpper(token), "[redacted]"},
		{"with hex digits before them", "abc" + token, "[redacted]"},
		{"after many that are fewer", strings.Repeat("a ", 70) + token, strings.Repeat("a ", 70) + "[redacted]"},
		{"63 hex digits stay", token[1:], token[1:]},
		{"a container's short id stays", "container 0123456789ab", "container 0123456789ab"},

		{"an Authorization header", "Authorization: Bearer abc.def-1", "Authorization: Bearer [redacted]"},
		{"in lower case", "authorization: basic dXNlcjpwYXNz", "authorization: basic [redacted]"},
		{"Proxy-Authorization", "Proxy-Authorization: Basic bW9hdDp4", "Proxy-Authorization: Basic [redacted]"},
		{"the scheme token", "Authorization: token abc", "Authorization: token [redacted]"},
		{"without a scheme", "Authorization: lin_api_1", "Authorization: [redacted]"},
		{"in JSON", `{"Authorization":"Bearer abc","x":1}`, `{"Authorization":"Bearer [redacted]","x":1}`},
		{"in JSON in JSON", `{\"authorization\":\"Bearer abc\"}`, `{\"authorization\":\"Bearer [redacted]\"}`},
		{"in a header map", "map[Authorization:[Bearer abc] Host:[h]]", "map[Authorization:[Bearer [redacted]] Host:[h]]"},
		{"in a query", "authorization=Bearer%20abc&x=1", "authorization=Bearer%20[redacted]&x=1"},
		{"without a colon", "authorization Bearer abc", "authorization Bearer [redacted]"},
		{"an escape after the colon is left whole", `authorization:\n abc`, `authorization:\n abc`},
		{"already masked", "Authorization: Bearer [redacted]", "Authorization: Bearer [redacted]"},
		{"a sentence stays", "authorization of the host failed", "authorization of the host failed"},
		{"a bearer token alone", "sent bearer 0123456789abcdef0", "sent bearer [redacted]"},
		{"words after basic stay", "basic authentication-required here", "basic authentication-required here"},

		{"GitHub's tokens", "ghp_a1b2c3 gho_a1b2c3 ghs_a1b2c3 github_pat_11AA_bb", "[redacted] [redacted] [redacted] [redacted]"},
		{"glued to a word", "tokenghp_a1b2c3d4", "token[redacted]"},
		{"Anthropic's", "sk-ant-api03-a_b-c", "[redacted]"},
		{"OpenAI's", "key=sk-proj-abc123def456", "key=[redacted]"},
		{"Slack's", "xoxb-12-34-ab xoxp-1234", "[redacted] [redacted]"},
		{"AWS's", "AKIAIOSFODNN7EXAMPLE", "[redacted]"},
		{"GitLab's", "glpat-abc_DEF-123", "[redacted]"},
		{"npm's", "npm_abcdef123456", "[redacted]"},
		{"npm's variables stay", "npm_config_registry npm_lifecycle_event", "npm_config_registry npm_lifecycle_event"},
		{"Google's", "ya29.a0Af_b-c1 AIzaSyA1234567890123456789012345678901", "[redacted] [redacted]"},
		{"a JSON web token", "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "[redacted]"},
		{"after an escaped line break", `a\nsk-proj-abc123def456`, `a\n[redacted]`},
		{"words with sk- stay", "task-runner-number-one disk-usage-monitoring", "task-runner-number-one disk-usage-monitoring"},

		{"a password in a URL", "dial https://bob:hunter2@host/x", "dial https://bob:[redacted]@host/x"},
		{"with an at sign", "https://bob:hunter@2@host/x", "https://bob:[redacted]@host/x"},
		{"a token as the user of a URL", "https://0123456789abcdefg@host/x", "https://[redacted]@host/x"},
		{"a user in a URL stays", "ssh://git@github.com", "ssh://git@github.com"},
		{"a port stays", "http://127.0.0.1:19080/a@b", "http://127.0.0.1:19080/a@b"},

		{"a query parameter", "GET /x?access_token=abc&page=2", "GET /x?access_token=[redacted]&page=2"},
		{"a form", "client_secret=s3cr3t", "client_secret=[redacted]"},
		{"a JSON value", `{"refresh_token": "1//abc"}`, `{"refresh_token": "[redacted]"}`},
		{"an x-api-key header", "X-Api-Key: abc", "X-Api-Key: [redacted]"},
		{"in a header map, too", "map[Private-Token:[abc]]", "map[Private-Token:[[redacted]]]"},
		{"a sentence about a secret stays", "secret: not found", "secret: not found"},

		{"a token as byte values", "{id:" + bytes + "}", "{id:[[redacted]]}"},
		{"a list of ports stays", "[80 443 8080]", "[80 443 8080]"},
		{"an ordinary message stays", "run registered run_id=run_7f3a host=api.github.com:443", "run registered run_id=run_7f3a host=api.github.com:443"},
		{"a bracket at the end", "[", "["},
		{"the empty text", "", ""},
	}
	r := NewRedactor()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.Redact(tt.in)
			if got != tt.want {
				t.Errorf("Redact(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if again := r.Redact(got); again != got {
				t.Errorf("Redact(%q) = %q, want no change", got, again)
			}
		})
	}
}

// A hint is only to save time: where it says no, there is nothing to find.
func FuzzHintsMissNothing(f *testing.F) {
	f.Add("AuThOrIzAtIoN: bEaReR abc")
	f.Add("https://a:b@c [1 2 3 PASSWORD=x X-API-KEY: y")
	f.Add("sk-abcdefghijkl1 npm_abcdefghijkl1")
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range patterns {
			if found := p.find(s); len(found) > 0 && !p.hint(s) {
				t.Errorf("hint of %v says no to %q, in which it finds %v", p.expr, s, found)
			}
		}
	})
}

func FuzzTokensAreRedacted(f *testing.F) {
	f.Add("x", "y", strings.Repeat("0123456789abcdef", 4))
	f.Fuzz(func(t *testing.T, before, after, token string) {
		if len(token) < minHex || strings.Trim(token, "0123456789abcdefABCDEF") != "" {
			t.Skip("not a token")
		}
		if got := NewRedactor().Redact(before + token + after); strings.Contains(got, token) {
			t.Errorf("Redact(%q) = %q", before+token+after, got)
		}
	})
}
