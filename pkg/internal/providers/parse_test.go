package providers_test

import (
	"os"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/providers"
)

func TestParseNamesEveryMistake(t *testing.T) {
	const head = "name: p\ninject: [{hosts: [a.example]}]\n" // two lines that are good
	for _, tt := range []struct {
		name, data string
		want       string // the beginning of the error, behind the file
	}{
		{"an empty file", "", ": is empty"},
		{"comments alone", "# nothing\n", ": is empty"},
		{"a null", "~", ":1: is empty"},
		{"no YAML", "name: [", ": yaml: line 1"},
		{"two documents", head + "---\n" + head, ": has more than one"},
		{"a list of providers", "- name: p", ":1: must be a mapping"},
		{"an unknown field", head + "headers: {}", ":3: headers: unknown field; the known ones are name, "},
		{"an unknown field inside", "name: p\ninject:\n- hosts: [a.example]\n  heder: X", ":4: inject[0].heder: unknown field"},
		{"a field twice", head + "name: p", ":3: name: must stand here once"},
		{"a name that is not the file's", "name: q\ninject: [{hosts: [a.example]}]", `:1: name: must be the name of the file, "p"`},
		{"no name", "inject: [{hosts: [a.example]}]", `:1: name: must be the name of the file`},
		{"a number as the name", "name: 1\ninject: [{hosts: [a.example]}]", ":1: name: must be a string; put it in quotes"},
		{"nothing done", "name: p", ":1: neither inject nor substitute"},
		{"empty lists", "name: p\ninject: []\nsubstitute: []", ":1: neither inject nor substitute"},
		{"a mapping as a list", "name: p\ninject: {hosts: [a.example]}", ":2: inject: must be a list"},
		{"a string as hosts", "name: p\ninject: [{hosts: a.example}]", ":2: inject[0].hosts: must be a list"},
		{"no hosts", "name: p\ninject: [{header: X-Key}]", ":2: inject[0].hosts: must be a list of hosts"},
		{"an empty list of hosts", "name: p\ninject: [{hosts: []}]", ":2: inject[0].hosts: must be a list of hosts"},
		{"a bad host", "name: p\ninject:\n- hosts:\n  - a.example\n  - a b", ":5: inject[0].hosts[1]: "},
		{"a wildcard", "name: p\ninject: [{hosts: ['*.example']}]", ":2: inject[0].hosts[0]: "},
		{"a URL as a host", "name: p\ninject: [{hosts: ['https://a.example']}]", ":2: inject[0].hosts[0]: "},
		{"a host with two credentials", "name: p\ninject:\n- hosts: [a.example]\n- hosts: [A.example.]", ":4: inject[1].hosts[0]: this host has a credential already, by line 3"},
		{"a bad header", "name: p\ninject: [{hosts: [a.example], header: 'X Y'}]", ":2: inject[0].header: must be the name of a header"},
		{"an empty header", "name: p\ninject: [{hosts: [a.example], header: ''}]", ":2: inject[0].header: must be the name of a header"},
		{"a header of HTTP's own", "name: p\ninject: [{hosts: [a.example], header: Host}]", ":2: inject[0].header: belongs to HTTP"},
		{"a header for the proxy", "name: p\ninject: [{hosts: [a.example], header: Proxy-Authorization}]", ":2: inject[0].header: belongs to HTTP"},
		{"a line break in a prefix", "name: p\ninject: [{hosts: [a.example], prefix: \"x\\r\\ny\"}]", ":2: inject[0].prefix: must be one line"},
		{"a prefix and a user", "name: p\ninject: [{hosts: [a.example], prefix: x, basic_user: y}]", ":2: inject[0].prefix: cannot stand beside"},
		{"a colon in a user", "name: p\ninject: [{hosts: [a.example], basic_user: 'a:b'}]", ":2: inject[0].basic_user: must not hold a colon"},
		{"an extra header without a name", head + "extra_headers: [{hosts: [a.example], value: x}]", ":3: extra_headers[0].name: must be the name"},
		{"an extra header without a value", head + "extra_headers: [{hosts: [a.example], name: X}]", ":3: extra_headers[0].value: must not be empty"},
		{"an extra header twice", head + "extra_headers:\n- {hosts: [a.example], name: X-A, value: v}\n- {hosts: [a.example], name: x-a, value: v}", ":5: extra_headers[1].hosts[0]: this header is added to this host already, by line 4"},
		{"an extra header over the credential", head + "extra_headers: [{hosts: [a.example], name: authorization, value: v}]", ":3: extra_headers[0].name: the credential for a.example is sent"},
		{"a header removed twice", head + "remove_headers: [{hosts: [b.example, b.example], name: X}]", ":3: remove_headers[0].hosts[1]: this header is removed"},
		{"a short placeholder", head + "substitute: [{hosts: [a.example], placeholder: token}]", ":3: substitute[0].placeholder: must be at least 8"},
		{"a placeholder that a URL would change", head + "substitute: [{hosts: [a.example], placeholder: 'my token/1'}]", ":3: substitute[0].placeholder: must be"},
		{"two placeholders for a host", head + "substitute: [{hosts: [a.example, a.example], placeholder: moat-token}]", ":3: substitute[0].hosts[1]: this host has a placeholder"},
		{"a bad variable", head + "env: {1A: x}", ":3: env.1A: not the name of a variable"},
		{"an empty variable", head + "env:\n  A: ''", ":4: env.A: must not be empty"},
		{"a number as a variable", head + "env: {A: 1}", ":3: env.A: must be a string; put it in quotes"},
		{"a line break in a variable", head + "env: {A: \"x\\ny\"}", ":3: env.A: must be one line"},
		{"a validation in clear", head + "validate: {url: 'http://a.example/'}", ":3: validate.url: must be https"},
		{"a validation elsewhere", head + "validate: {url: 'https://b.example/'}", ":3: validate.url: the provider sends no credential to b.example"},
		{"a validation with a user", head + "validate: {url: 'https://u:p@a.example/'}", ":3: validate.url: must be a URL with a host, and without a user"},
		{"a validation without a URL", head + "validate: {}", ":3: validate.url: must be a URL"},
		{"a string as the validation", head + "validate: https://a.example", ":3: validate: must be a mapping"},
		{"a validation with a method of its own", head + "validate: {url: 'https://a.example/', method: PUT}", ":3: validate.method: must be one of GET, HEAD, POST"},
		{"a validation with a body and no POST", head + "validate: {url: 'https://a.example/', body: x}", ":3: validate.body: is sent with POST alone"},
		{"a validation that sets the credential itself", head + "validate: {url: 'https://a.example/', headers: {authorization: x}}", ":3: validate.headers.authorization: the credential is sent in this header"},
		{"a validation with a header of HTTP's own", head + "validate: {url: 'https://a.example/', headers: {Host: x}}", ":3: validate.headers.Host: belongs to HTTP"},
		{"a validation that rejects what is no status of a client's fault", head + "validate: {url: 'https://a.example/', rejects: [401, 200]}", ":3: validate.rejects[1]: must be a status from 400 to 499"},
		{"a status in words", head + "validate: {url: 'https://a.example/', rejects: [bad]}", ":3: validate.rejects[0]: must be a status"},
		{"a path that is none", "name: p\ninject: [{hosts: [a.example], paths: [api]}]", ":2: inject[0].paths[0]: must begin with a slash"},
		{"a path with dots", "name: p\ninject: [{hosts: [a.example], paths: [/a/../b]}]", ":2: inject[0].paths[0]: the path has dot segments"},
		{"the root as a path", "name: p\ninject: [{hosts: [a.example], paths: [/]}]", ":2: inject[0].paths[0]: must name more than the root"},
		{"an empty list of paths", "name: p\ninject: [{hosts: [a.example], paths: []}]", ":2: inject[0].paths: must be a list of paths"},
		{"a path with two credentials", "name: p\ninject:\n- {hosts: [a.example], paths: [/a]}\n- {hosts: [a.example], paths: [/A/]}", ":4: inject[1].hosts[0]: this host has a credential already, by line 3"},
		{"a parameter without a name", head + "remove_query: [{hosts: [a.example]}]", ":3: remove_query[0].name: must be the name of a parameter"},
		{"a parameter removed twice", head + "remove_query: [{hosts: [a.example, a.example], name: key}]", ":3: remove_query[0].hosts[1]: this parameter is removed"},
		{"an unknown transformer", head + "transformers: [{hosts: [a.example], kind: rot13}]", ":3: transformers[0].kind: must be oauth-endpoint-workaround or response-scrub"},
		{"a transformer twice", head + "transformers: [{hosts: [a.example, a.example], kind: response-scrub}]", ":3: transformers[0].hosts[1]: this host has this transformer"},
		{"scopes for another host", head + "scopes: [{hosts: [b.example], paths: ['/{scope}']}]", ":3: scopes[0].hosts[0]: the provider injects nothing for this host"},
		{"scopes that leave a host out", "name: p\ninject: [{hosts: [a.example, b.example]}]\nscopes: [{hosts: [a.example], paths: ['/{scope}']}]", ":3: scopes: says nothing of b.example"},
		{"scopes that no scope is in", head + "scopes: [{hosts: [a.example], paths: [/x]}]", ":3: scopes[0].paths: must be a list of paths, one of them with {scope}"},
		{"an unknown mark in a scope's path", head + "scopes: [{hosts: [a.example], paths: ['/{repo}/{scope}']}]", ":3: scopes[0].paths[0]: may hold {scope} and {owner}"},
		{"scopes beside substitute", head + "substitute: [{hosts: [a.example], placeholder: moat-token}]\nscopes: [{hosts: [a.example], paths: ['/{scope}']}]", ":4: scopes: cannot stand beside substitute"},
		{"an alias", "name: &n p\ndescription: *n\ninject: [{hosts: [a.example]}]", ":2: description: aliases are not supported"},
		{"a merge key", head + "<<: {env: {A: x}}", ":3: <<: must be a string"},
		{"a number as a key", head + "1: x", ":3: 1: must be a string"},
		{"an empty key", head + "'': x", ":3: must stand here once, and have a name"},
		{"an odd key", head + "\"a\\nb\": x", `:3: "a\nb": unknown field`},
		{"a control character in the description", head + "description: \"\\e[31m\"", ":3: description: must be one line"},
		{"too much", head + "# " + strings.Repeat("x", 64<<10), ": has more than 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := providers.Parse("dir/p.yaml", []byte(tt.data))
			if want := "dir/p.yaml" + tt.want; err == nil || !strings.HasPrefix(err.Error(), want) || p != nil {
				t.Errorf("Parse = %v, %v; want an error that begins with\n%s", p, err, want)
			}
		})
	}
}

func TestParseReportsAllMistakesAtOnce(t *testing.T) {
	_, err := providers.Parse("p.yaml", []byte("name: p\ninject:\n- hosts: [a b]\n  header: 'x y'\nenv: {A: 1}\nmore: x"))
	if err == nil {
		t.Fatal("Parse = nil, want an error")
	}
	for _, want := range []string{"p.yaml:3: ", "p.yaml:4: ", "p.yaml:5: ", "p.yaml:6: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Parse = %v\nwithout %s", err, want)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for _, tt := range []struct{ name, data string }{
		{"the least", "name: p\ninject: [{hosts: [a.example]}]"},
		{"fields with nothing behind them", "name: p\ninject: [{hosts: [a.example], header: , prefix: }]\nenv:\nvalidate:\nextra_headers: ~"},
		{"the same header with two values", "name: p\ninject: [{hosts: [a.example]}]\nextra_headers: [{hosts: [a.example], name: X, value: a}, {hosts: [a.example], name: X, value: b}]"},
		{"a host with and without a port", "name: p\ninject: [{hosts: [a.example, 'a.example:8443']}]"},
		{"an address", "name: p\ninject: [{hosts: ['[::1]:8080', 127.0.0.1]}]"},
		{"substitution alone", "name: p\nsubstitute: [{hosts: [a.example], placeholder: moat-token}]\nvalidate: {url: 'https://a.example/botmoat-token/getMe'}"},
		{"validation in clear on this machine", "name: p\ninject: [{hosts: [localhost]}]\nvalidate: {url: 'http://localhost:8080/me'}"},
		{"parts of a host", "name: p\ninject: [{hosts: [a.example]}, {hosts: [a.example], paths: [/x, /y], header: X}]"},
		{"validation with all there is", "name: p\ninject: [{hosts: [a.example]}]\nvalidate: {url: 'https://a.example/', method: POST, headers: {X-A: b}, body: '{}', rejects: [400]}"},
		{"validation on another port", "name: p\ninject: [{hosts: [a.example]}]\nvalidate: {url: 'https://a.example:8443/'}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := providers.Parse("p.yaml", []byte(tt.data)); err != nil {
				t.Errorf("Parse = %v, want none", err)
			}
		})
	}
}

// The file that the README shows is a good one, and shows every field but scopes.
func TestTheFileInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	p, err := providers.Parse("acme.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got recorder
	p.Configure("acme", "s3cret", &got)
	if _, ok := p.Validation(); !ok || len(p.Env()) == 0 || len(got.calls) != 7 {
		t.Errorf("Parse of the file has the calls %q", got.calls)
	}
	_, text, _ = strings.Cut(string(readme), "`scopes: ")
	text, _, _ = strings.Cut(text, "`")
	if _, err := providers.Parse("acme.yaml", []byte("name: acme\ninject: [{hosts: [api.acme.example]}]\nscopes: "+text)); err != nil {
		t.Error(err)
	}
}

// What is accepted can be used: it has a host, and each call gets good values.
func FuzzParse(f *testing.F) {
	f.Add([]byte(strings.Replace(everything, "name: demo", "name: p", 1)))
	f.Add([]byte("name: p\ninject: [{hosts: [a.example]}]"))
	f.Add([]byte("name: p\nsubstitute: [{hosts: ['a:1'], placeholder: moat-token}]\nenv: {A: b}"))
	f.Add([]byte("- &a [*a]"))
	f.Add([]byte("? {}\n: x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := providers.Parse("p.yaml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p.yaml:") {
				t.Errorf("Parse(%q) = %v, which does not begin with the file", data, err)
			}
			return
		}
		if p.Name() != "p" || len(p.Hosts()) == 0 {
			t.Errorf("Parse(%q) has the name %q and the hosts %q", data, p.Name(), p.Hosts())
		}
		var got recorder
		p.Configure("p", "s3cret", &got)
		secret := false
		for _, call := range got.calls {
			secret = secret || strings.HasPrefix(call, "set ") || strings.HasPrefix(call, "substitute ")
			if strings.ContainsAny(call, "\r\n\x00") {
				t.Errorf("Parse(%q) calls %q", data, call)
			}
		}
		if !secret {
			t.Errorf("Parse(%q) sends the credential nowhere: %q", data, got.calls)
		}
	})
}
