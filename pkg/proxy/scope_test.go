package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/inject"
)

// scopedSpec is a run with two grants for parts of api.test, one of which has no
// credential now, and with rules for the rest of it.
func scopedSpec(rest *HostRules) RunSpec {
	rest.Parts = map[string]Part{
		"/acme/app": {Rules: grantOf("a")},
		"/acme":     {Rules: grantOf("b")},
		"/gone":     {Rules: &HostRules{}, Missing: Missing{Grant: "g:gone", Reason: "run `moat grant g:gone`"}},
	}
	return RunSpec{RunID: "run_1", Hosts: map[string]*HostRules{"api.test": rest}}
}

// grantOf is rules that send the secret of a grant under its own name.
func grantOf(name string) *HostRules {
	return &HostRules{Credentials: []Header{{Name: "Authorization", Value: name, Grant: "g:" + name}}}
}

func TestDecideByPath(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		status     int
		reason     string
		grant      string // whose credential goes out
	}{
		{"a part", "/acme/app/issues", 0, "", "g:a"},
		{"the longest prefix counts", "/acme/lib", 0, "", "g:b"},
		{"the part itself", "/acme/app", 0, "", "g:a"},
		{"in capitals", "/ACME/App/x", 0, "", "g:a"},
		{"escaped", "/acme%2Fapp/x", 0, "", "g:a"},
		{"with a parameter", "/acme/app;v=1/x", 0, "", "g:a"},
		{"a longer name is another part", "/acme/application", 0, "", "g:b"},
		{"no part", "/other", 403, "scope", ""},
		{"the root", "/", 403, "scope", ""},
		{"a CONNECT does not know its paths", "", 0, "", ""},
		{"a part without its credential", "/gone/x", 503, "credential-unavailable", ""},
		{"dots that lead out of a part", "/acme/app/../../other", 400, "malformed", ""},
		{"dots that lead into another part", "/acme/lib/../app", 400, "malformed", ""},
		{"escaped dots", "/acme/app/%2e%2e/lib", 400, "malformed", ""},
		{"dots escaped twice", "/acme/app/%252e%252e/lib", 400, "malformed", ""},
		{"an empty segment", "/acme//app", 400, "malformed", ""},
		{"a backslash", "/acme/lib/..%5capp", 400, "malformed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := compile(t, scopedSpec(new(HostRules)))
			v := d.Decide(Head{Scheme: "https", Target: host(t, "api.test:443"), Path: tt.path})
			if grant := strings.Join(v.Rules.Grants(), ","); v.Status != tt.status || v.Reason != tt.reason || grant != tt.grant {
				t.Errorf("Decide(%s) = %d %s with %q (%s); want %d %s with %q", tt.path, v.Status, v.Reason, grant, v.Text, tt.status, tt.reason, tt.grant)
			}
		})
	}
}

func TestDecideOutsideTheScopes(t *testing.T) {
	anonymous, twice := scopedSpec(new(HostRules)), scopedSpec(new(HostRules))
	anonymous.Allow, twice.Allow = []string{"api.test"}, []string{"*.test"}
	missing := scopedSpec(new(HostRules))
	missing.Missing = []MissingGrant{{Grant: "g", Hosts: []string{"api.test"}, Reason: "none"}}
	strict := scopedSpec(new(HostRules))
	strict.Policy = Strict
	for _, tt := range []struct {
		name   string
		spec   RunSpec
		path   string
		status int
		rule   string
	}{
		{"the unscoped grant has the rest", scopedSpec(grantOf("whole")), "/other", 0, "grant g:whole"},
		{"and not the parts", scopedSpec(grantOf("whole")), "/acme/app", 0, "grant g:a"},
		{"an allow list that names the host lets the rest out without a credential", anonymous, "/other", 0, "allow api.test"},
		{"but not a part that lacks its credential", anonymous, "/gone", 503, "grant g:gone"},
		{"a wildcard does not", twice, "/other", 403, "scope"},
		{"the missing unscoped grant closes the rest", missing, "/other", 503, "grant g"},
		{"and not the parts, ever", missing, "/acme", 0, "grant g:b"},
		{"strict: the parts are allowed", strict, "/acme", 0, "grant g:b"},
		{"strict: the rest is out of scope", strict, "/other", 403, "scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := compile(t, tt.spec).Decide(Head{Scheme: "https", Target: host(t, "api.test:443"), Path: tt.path})
			if v.Status != tt.status || v.Rule != tt.rule {
				t.Errorf("Decide(%s) = %d, %s (%s); want %d, %s", tt.path, v.Status, v.Rule, v.Text, tt.status, tt.rule)
			}
		})
	}
}

// TestPathsThroughTheProxy sends paths as they are through the proxy: what
// decides is what the upstream reads, in each form of a request.
func TestPathsThroughTheProxy(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %q", r.RequestURI, r.Header.Values("Authorization"))
	})
	w.run("tok", scopedSpec(new(HostRules)))
	for _, tt := range []struct{ name, path, want string }{
		{"a part", "/acme/app/x", `200 /acme/app/x ["a"]`},
		{"another", "/acme/x?y=/acme/app", `200 /acme/x?y=/acme/app ["b"]`},
		{"an escaped slash stays one", "/acme%2Fapp", `200 /acme%2Fapp ["a"]`},
		{"dots", "/acme/app/../x", "400 moat: the path has dot segments"},
		{"no part", "/", "403 moat: the grants of this run for api.test, g:a and g:b and g:gone, are not for this path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.test", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = "//api.test" + tt.path // as it is written here
			if path, query, ok := strings.Cut(tt.path, "?"); ok {
				req.URL.Opaque, req.URL.RawQuery = "//api.test"+path, query
			}
			req.Header.Set("Authorization", "the agent's own")
			res, err := w.client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if got := fmt.Sprintf("%d %s", res.StatusCode, body); err != nil || !strings.HasPrefix(got, tt.want) {
				t.Errorf("GET %s = %s, %v; want %s", tt.path, got, err, tt.want)
			}
		})
	}
}

// FuzzDecideByPath checks that a path which gets the credential of a part is below
// it however often it is unescaped and cleaned.
func FuzzDecideByPath(f *testing.F) {
	for _, seed := range []string{"/acme/app/x", "/acme/app/..;/x", "/acme%2fapp", "/acme/app%252f..", "/acme/app/%5c../x"} {
		f.Add(seed)
	}
	d := compile(f, scopedSpec(new(HostRules)))
	f.Fuzz(func(t *testing.T, escaped string) {
		v := d.Decide(Head{Scheme: "https", Target: host(t, "api.test:443"), Path: escaped})
		if v.Status != 0 || escaped == "" {
			return
		}
		grants := v.Rules.Grants()
		if len(grants) != 1 {
			t.Fatalf("Decide(%q) lets it out with the grants %q", escaped, grants)
		}
		prefix := map[string]string{"g:a": "/acme/app", "g:b": "/acme"}[grants[0]]
		for _, read := range readings(escaped) {
			if read = strings.ToLower(read); read != prefix && !strings.HasPrefix(read, prefix+"/") {
				t.Errorf("Decide(%q) has the credential for %s, and it may mean %q", escaped, prefix, read)
			}
		}
	})
}

// readings returns what upstreams may take an escaped path for: unescaped once, as
// all do, or twice, and then with dots resolved.
func readings(escaped string) []string {
	var all []string
	plain := escaped
	for range 2 {
		var err error
		if plain, err = url.PathUnescape(plain); err != nil {
			break
		}
		segments := strings.Split(plain, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		all = append(all, path.Clean(strings.Join(segments, "/")))
	}
	return all
}

func BenchmarkDecideByPath(b *testing.B) {
	d := compile(b, scopedSpec(new(HostRules)))
	h := Head{Scheme: "https", Target: host(b, "api.test:443"), Path: "/acme/app/issues/12/comments"}
	h.Names = []Name{{"Host", h.Target}, {"SNI", h.Target}}
	for b.Loop() {
		d.Decide(h)
	}
}

func TestStubsCountInParts(t *testing.T) {
	spec := scopedSpec(new(HostRules))
	spec.Servers = []MCPServer{{Name: "s", URL: "https://api.test/mcp", Header: "X-Key", Grant: "mcp:s", Secret: "s3cret"}}
	d := compile(t, spec)
	for _, path := range []string{"/acme/app", "/mcp"} {
		v := d.Decide(Head{Scheme: "https", Target: host(t, "api.test:443"), Path: path})
		has := func(s inject.Stub) bool { return s.Placeholder == "moat-stub-mcp:s" }
		if v.Status != 0 || len(v.Rules.Stubs) != 1 || !has(v.Rules.Stubs[0]) {
			t.Errorf("Decide(%s) = %+v, want the stub of the server in the rules", path, v)
		}
	}
}
