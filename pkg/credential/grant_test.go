package credential

import (
	"strings"
	"testing"
)

func TestParseGrant(t *testing.T) {
	for _, tt := range []struct {
		name, grant     string
		provider, scope string // both empty: refused
	}{
		{"a provider alone", "github", "github", ""},
		{"digits and hyphens", "brave-search2", "brave-search2", ""},
		{"a repository as the scope", "github:Org/repo.js", "github", "Org/repo.js"},
		{"a colon in the scope is the scope's", "mcp:a:b", "mcp", "a:b"},
		{"signs in the scope", "mcp:!~%", "mcp", "!~%"},
		{"the longest provider", strings.Repeat("p", 64), strings.Repeat("p", 64), ""},
		{"the longest scope", "p:" + strings.Repeat("s", 128), "p", strings.Repeat("s", 128)},
		{"nothing", "", "", ""},
		{"capitals in the provider", "GitHub", "", ""},
		{"a dot as the provider", "..", "", ""},
		{"a slash in the provider", "a/b", "", ""},
		{"a provider too long", strings.Repeat("p", 65), "", ""},
		{"no provider", ":scope", "", ""},
		{"a colon and no scope", "github:", "", ""},
		{"a space in the scope", "mcp:a b", "", ""},
		{"a line break in the scope", "mcp:a\nb", "", ""},
		{"a NUL in the scope", "mcp:a\x00b", "", ""},
		{"another script in the scope", "mcp:ü", "", ""},
		{"broken UTF-8 in the scope", "mcp:\xff", "", ""},
		{"a scope too long", "p:" + strings.Repeat("s", 129), "", ""},
		{"a scope too long as a file's name", "github:" + strings.Repeat("S", 100), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			provider, scope, err := ParseGrant(tt.grant)
			if provider != tt.provider || scope != tt.scope || (err == nil) != (tt.provider != "") {
				t.Errorf("ParseGrant(%q) = %q, %q, %v; want %q, %q", tt.grant, provider, scope, err, tt.provider, tt.scope)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	for _, tt := range []struct{ name, grant, file string }{
		{"plain names stay readable", "github", "github"},
		{"a colon is escaped", "mcp:linear", "mcp%3alinear"},
		{"a slash makes no directory", "github:a/b", "github%3aa%2fb"},
		{"dots lead nowhere", "x:../..", "x%3a..%2f.."},
		{"capitals are not told apart by every file system", "x:A", "x%3a%41"},
		{"the escape itself is escaped", "x:%41", "x%3a%2541"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := escape(tt.grant); got != tt.file {
				t.Errorf("escape(%q) = %q, want %q", tt.grant, got, tt.file)
			}
			if got, ok := unescape(tt.file); got != tt.grant || !ok {
				t.Errorf("unescape(%q) = %q, %t; want %q, true", tt.file, got, ok, tt.grant)
			}
		})
	}
}

func TestUnescapeRefusesOtherSpellings(t *testing.T) {
	for _, name := range []string{"", "GITHUB", "git%68ub", "x%3A", "x%3aa%2F", "x%3", "x%", "x%zz", "..", "a/b", "x%3a%20"} {
		if grant, ok := unescape(name); ok {
			t.Errorf("unescape(%q) = %q, true; want false", name, grant)
		}
	}
}

// A grant and a file's name stand for each other, one to one, and the name is
// one that all file systems tell from others.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"github", "github:Org/repo", "mcp:%3a", "x:..", "x:\\", "mcp%3alinear", "%", "x:A%41"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if grant, ok := unescape(s); ok && escape(grant) != s {
			t.Errorf("unescape(%q) = %q, whose escape is %q", s, grant, escape(grant))
		}
		if _, _, err := ParseGrant(s); err != nil {
			return
		}
		name := escape(s)
		if got, ok := unescape(name); got != s || !ok {
			t.Errorf("unescape(escape(%q)) = %q, %t", s, got, ok)
		}
		if strings.ContainsAny(name, "/\\:\x00") || name != strings.ToLower(name) || name[0] == '.' || len(name+sealedExt) > 255 {
			t.Errorf("escape(%q) = %q, which is no safe file name", s, name)
		}
	})
}
