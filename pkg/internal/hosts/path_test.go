package hosts_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

func TestCanonicalPath(t *testing.T) {
	for _, tt := range []struct {
		name, escaped string
		want          string // "-" for an error
	}{
		{"the root", "/", ""},
		{"nothing", "", ""},
		{"the star of OPTIONS", "*", ""},
		{"as it is", "/repos/acme/app", "/repos/acme/app"},
		{"a slash at the end", "/acme/app/", "/acme/app"},
		{"capitals", "/Repos/ACME/App", "/repos/acme/app"},
		{"letters of other scripts keep their case", "/%C3%84", "/\xc3\x84"},
		{"an escaped letter", "/repos/%61cme", "/repos/acme"},
		{"an escaped slash", "/projects/acme%2Fapp", "/projects/acme/app"},
		{"a parameter", "/acme;v=1/app;x", "/acme/app"},
		{"a percent sign that is escaped", "/100%25.txt", "/100%.txt"},
		{"a dot in a name", "/acme/.github/..x", "/acme/.github/..x"},
		{"dot segments", "/repos/acme/app/../../other", "-"},
		{"one dot", "/repos/./acme", "-"},
		{"escaped dots", "/repos/%2e%2E/acme", "-"},
		{"dots behind an escaped slash", "/repos/acme%2F..%2Fother", "-"},
		{"dots with a parameter", "/repos/..;/acme", "-"},
		{"dots at the end", "/repos/..", "-"},
		{"a backslash", "/repos/acme\\..\\lib", "-"},
		{"an escaped backslash", "/repos/acme%5Capp", "-"},
		{"two slashes", "/repos//acme", "-"},
		{"two slashes at the start", "//repos", "-"},
		{"two slashes alone", "//", "-"},
		{"an escaped slash that makes two", "/repos/%2Facme", "-"},
		{"a parameter alone", "/repos/;x/acme", "-"},
		{"escaped twice", "/repos/%252e%252e/acme", "-"},
		{"a slash escaped twice", "/repos/acme%252Fapp", "-"},
		{"a NUL", "/repos/acme%00", "-"},
		{"a line break", "/repos/acme%0a", "-"},
		{"no slash at the start", "acme", "-"},
		{"an escape that is none", "/repos/%zz", "-"},
		{"an escape that is cut off", "/repos/%2", "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hosts.CanonicalPath(tt.escaped)
			if err != nil {
				got = "-"
			}
			if got != tt.want {
				t.Errorf("CanonicalPath(%q) = %q, %v; want %q", tt.escaped, got, err, tt.want)
			}
		})
	}
}

func TestBelow(t *testing.T) {
	for _, tt := range []struct {
		name, path, prefix string
		want               bool
	}{
		{"itself", "/acme/app", "/acme/app", true},
		{"below it", "/acme/app/issues", "/acme/app", true},
		{"a longer name", "/acme/application", "/acme/app", false},
		{"above it", "/acme", "/acme/app", false},
		{"everything is below the root", "/acme", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hosts.Below(tt.path, tt.prefix); got != tt.want {
				t.Errorf("Below(%q, %q) = %t, want %t", tt.path, tt.prefix, got, tt.want)
			}
		})
	}
}

// FuzzCanonicalPath checks that a canonical path stays as it is, and that it is
// where the path leads for whoever resolves dots, once or after unescaping twice.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/a/../b", "/a/%2e%2e/b", "/a%2Fb;x/", "//a", "/%252e", "/A/\\b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		got, err := hosts.CanonicalPath(escaped)
		if err != nil || got == "" {
			return
		}
		if again, err := hosts.CanonicalPath((&url.URL{Path: got}).EscapedPath()); err != nil || again != got {
			t.Errorf("CanonicalPath(%q) = %q, of which it is %q, %v", escaped, got, again, err)
		}
		u := &url.URL{Scheme: "https", Host: "h", Path: got}
		if clean := u.JoinPath(".").Path; strings.TrimSuffix(clean, "/") != got {
			t.Errorf("CanonicalPath(%q) = %q, which leads to %q", escaped, got, clean)
		}
	})
}
