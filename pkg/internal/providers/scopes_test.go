package providers_test

import (
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/providers"
)

const scoped = `
name: p
inject:
  - hosts: [a.example]
  - {hosts: [a.example], paths: [/api, /acme/deep], header: X-Token}
scopes:
  - {hosts: [a.example], paths: ["/{scope}", "/api/{scope}", "/api/of/{owner}", /api/all]}
`

func TestScopeSaysWhichPaths(t *testing.T) {
	p := mustParse(t, "p.yaml", scoped)
	for _, tt := range []struct {
		name, grant string
		want        []string
	}{
		{"no scope is the whole host, and its parts", "p", []string{
			"set a.example Authorization: s (p)", "set a.example/acme/deep X-Token: s (p)", "set a.example/api X-Token: s (p)",
		}},
		{"a scope takes what is sent above it, and what is sent to parts of it", "p:acme", []string{
			"lend a.example/api/all X-Token: s (p:acme)", "set a.example/acme Authorization: s (p:acme)",
			"set a.example/acme/deep X-Token: s (p:acme)", "set a.example/api/acme X-Token: s (p:acme)",
			"lend a.example/api/of/acme X-Token: s (p:acme)",
		}},
		{"case does not count", "p:ACME/One", []string{
			"lend a.example/api/all X-Token: s (p:ACME/One)", "lend a.example/api/of/acme X-Token: s (p:ACME/One)",
			"set a.example/acme/one Authorization: s (p:ACME/One)", "set a.example/api/acme/one X-Token: s (p:ACME/One)",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got recorder
			p.Configure(tt.grant, "s", &got)
			calls, want := strings.Join(got.sorted(t), "\n"), recorder{calls: tt.want}
			if w := strings.Join(want.sorted(t), "\n"); calls != w {
				t.Errorf("Configure(%s):\n%s\nwant\n%s", tt.grant, calls, w)
			}
		})
	}
}

func TestCheckScope(t *testing.T) {
	paths, label := mustParse(t, "p.yaml", scoped), mustParse(t, "p.yaml", "name: p\ninject: [{hosts: [a.example]}]")
	for _, tt := range []struct {
		name, scope string
		ok          bool
	}{
		{"an owner", "acme", true},
		{"a repository", "acme/app.js", true},
		{"a project in a subgroup", "acme/web/app_1", true},
		{"dots", "acme/..", false},
		{"an empty segment", "acme//app", false},
		{"a slash at the end", "acme/", false},
		{"an escape", "acme%2fapp", false},
		{"a mark", "{owner}", false},
		{"a parameter", "acme;x", false},
		{"too many segments", strings.Repeat("a/", 16) + "a", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := paths.CheckScope(tt.scope); (err == nil) != tt.ok {
				t.Errorf("CheckScope(%q) = %v, want ok = %t", tt.scope, err, tt.ok)
			}
			if err := label.CheckScope(tt.scope); err != nil {
				t.Errorf("CheckScope(%q) = %v where a scope is a label, want nil", tt.scope, err)
			}
		})
	}
	if !paths.Scoped() || label.Scoped() {
		t.Errorf("Scoped = %t, %t; want true, false", paths.Scoped(), label.Scoped())
	}
}

// A scope that is accepted is for paths with it in them, and never for a whole host.
func FuzzCheckScope(f *testing.F) {
	f.Add("acme/app")
	f.Add("a/../b")
	f.Add("a%2f..%2fb")
	set, err := providers.Builtin()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		for _, name := range set.Names() {
			p, _ := set.Get(name)
			if scope == "" || !p.Scoped() || p.CheckScope(scope) != nil {
				continue
			}
			var got recorder
			p.Configure(name+":"+scope, "s3cret", &got)
			owned := false
			for _, call := range got.calls {
				verb, rest, _ := strings.Cut(call, " ")
				host, path, _ := strings.Cut(strings.Fields(rest)[0], "/")
				if (verb == "set" || verb == "lend") && path == "" {
					t.Errorf("%s:%s is sent to all of %s", name, scope, host)
				}
				owned = owned || verb == "set" && strings.Contains("/"+path+"/", strings.ToLower("/"+scope))
			}
			if !owned {
				t.Errorf("%s:%s is for no path of its own: %q", name, scope, got.calls)
			}
		}
	})
}
