package providers_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

func mustParse(tb testing.TB, file, data string) *providers.Provider {
	tb.Helper()
	p, err := providers.Parse(file, []byte(data))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func validateURL(p *providers.Provider) string {
	v, _ := p.Validation()
	return v.URL
}

// everything uses each field of the schema.
const everything = `
name: demo
description: All there is
inject:
  - hosts: [API.Example.com., "example.com:8443"]
    prefix: "token "
  - hosts: [git.example.com]
    basic_user: oauth2
  - {hosts: [git.example.com], paths: [/API/, /v2], header: X-Token}
  - hosts: [plain.example.com]
    header: X-Key
extra_headers:
  - {hosts: [api.example.com, plain.example.com], name: X-Version, value: "2"}
remove_headers:
  - {hosts: [plain.example.com], name: Authorization}
remove_query: [{hosts: [git.example.com], name: key}]
transformers: [{hosts: [plain.example.com], kind: response-scrub}]
substitute:
  - {hosts: [bot.example.com], placeholder: moat-demo-token}
env: {DEMO_TOKEN: placeholder, OTHER: "1"}
validate: {url: "https://api.example.com/me"}
`

func TestConfigure(t *testing.T) {
	p := mustParse(t, "demo.yaml", everything)
	var got recorder
	p.Configure("demo:x", "s3cret", &got)
	want := []string{
		"extra api.example.com X-Version: 2",
		"extra plain.example.com X-Version: 2",
		"kind plain.example.com response-scrub",
		"query git.example.com key",
		"remove plain.example.com Authorization",
		"set api.example.com Authorization: token s3cret (demo:x)",
		"set example.com:8443 Authorization: token s3cret (demo:x)",
		"set git.example.com Authorization: Basic b2F1dGgyOnMzY3JldA== (demo:x)",
		"set git.example.com/api X-Token: s3cret (demo:x)",
		"set git.example.com/v2 X-Token: s3cret (demo:x)",
		"set plain.example.com X-Key: s3cret (demo:x)",
		"substitute bot.example.com moat-demo-token s3cret",
	}
	if diff := cmp.Diff(want, got.sorted(t)); diff != "" {
		t.Errorf("Configure: -want +got\n%s", diff)
	}
	hosts := []string{"api.example.com", "bot.example.com", "example.com:8443", "git.example.com", "plain.example.com"}
	if diff := cmp.Diff(hosts, p.Hosts()); diff != "" {
		t.Errorf("Hosts: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"DEMO_TOKEN": "placeholder", "OTHER": "1"}, p.Env()); diff != "" {
		t.Errorf("Env: -want +got\n%s", diff)
	}
	if p.Name() != "demo" || p.Description() != "All there is" || validateURL(p) != "https://api.example.com/me" {
		t.Errorf("Name, Description, validateURL = %q, %q, %q", p.Name(), p.Description(), validateURL(p))
	}
}

func TestWhatAProviderReturnsIsTheCallers(t *testing.T) {
	p := mustParse(t, "demo.yaml", everything)
	p.Env()["OTHER"] = "changed"
	p.Hosts()[0] = "changed"
	if p.Env()["OTHER"] != "1" || p.Hosts()[0] != "api.example.com" {
		t.Errorf("after a change of what was returned: Env = %v, Hosts = %v", p.Env(), p.Hosts())
	}
}

// Whatever reaches the proxy with the secret in it is among the forms that the
// log is told to keep out, or contains one.
func TestFormsCoverWhatIsSet(t *testing.T) {
	p := mustParse(t, "demo.yaml", everything)
	forms := p.Forms("s3cret")
	want := []string{
		"s3cret", "token s3cret", "Basic b2F1dGgyOnMzY3JldA==", "b2F1dGgyOnMzY3JldA==",
	}
	if diff := cmp.Diff(want, forms); diff != "" {
		t.Errorf("Forms: -want +got\n%s", diff)
	}
	var got recorder
	p.Configure("demo", "s3cret", &got)
	for _, call := range got.calls {
		for _, form := range forms {
			call = strings.ReplaceAll(call, form, "")
		}
		if strings.Contains(call, "s3cret") || strings.Contains(call, "b2F1") {
			t.Errorf("after all forms are removed, %q holds the secret", call)
		}
	}
}

func TestCheck(t *testing.T) {
	inHeader := mustParse(t, "a.yaml", "name: a\ninject: [{hosts: [a.example]}]")
	inPath := mustParse(t, "b.yaml", "name: b\nsubstitute: [{hosts: [b.example], placeholder: moat-placeholder}]")
	for _, tt := range []struct {
		name   string
		in     *providers.Provider
		secret credential.Secret
		want   string // part of the error; "" is none
	}{
		{"a token", inHeader, "ghp_abcDEF123", ""},
		{"a space inside", inHeader, "two words", ""},
		{"all signs", inHeader, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", ""},
		{"nothing", inHeader, "", "empty"},
		{"a line break that would begin a header", inHeader, "x\r\nX-Evil: 1", "position 2"},
		{"a bare CR", inHeader, "x\ry", "position 2"},
		{"a bare LF", inHeader, "xy\nz", "position 3"},
		{"a NUL", inHeader, "\x00", "position 1"},
		{"a tab", inHeader, "x\ty", "position 2"},
		{"a DEL", inHeader, "x\x7f", "position 2"},
		{"another script", inHeader, "tökén", "position 2"},
		{"no UTF-8", inHeader, "x\xffy", "position 2"},
		{"a space before", inHeader, " x", "white space"},
		{"a space behind", inHeader, "x ", "white space"},
		{"a telegram token in a path", inPath, "123456:ABC-def_9", ""},
		{"a slash in a path", inPath, "a/b", "position 2"},
		{"a question mark in a path", inPath, "ab?c", "position 3"},
		{"an escape in a path", inPath, "%2e", "position 1"},
		{"a space in a path", inPath, "a b", "position 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.in.Check(tt.secret)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check(%q) = %v, want an error with %q", tt.secret.Reveal(), err, tt.want)
			}
		})
	}
}

func TestTrimSecret(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"the final newline of a file", "abc\n", "abc"},
		{"a line end from Windows", "abc\r\n", "abc"},
		{"spaces and tabs of a paste", " \tabc\t ", "abc"},
		{"nothing inside is touched", "a b\nc", "a b\nc"},
		{"white space alone is nothing", " \n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := providers.TrimSecret(tt.text).Reveal(); got != tt.want {
				t.Errorf("TrimSecret(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

// A secret that passes never makes a header value that could end the header.
func FuzzCheck(f *testing.F) {
	p := mustParse(f, "demo.yaml", everything)
	for _, s := range []string{"token", "a\r\nb", "\xff", " x", "", "a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret := providers.TrimSecret(text)
		if err := p.Check(secret); err != nil {
			return
		}
		for _, form := range p.Forms(secret) {
			for _, b := range []byte(form) {
				if b < ' ' || b > '~' {
					t.Errorf("Check(%q) = nil, but it makes the header value %q", text, form)
				}
			}
		}
	})
}

func BenchmarkConfigure(b *testing.B) {
	p := mustParse(b, "demo.yaml", everything)
	for b.Loop() {
		p.Configure("demo", "s3cret", new(recorder))
	}
}
