package inject

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAt(t *testing.T) {
	part := func(name string) Part {
		return Part{Rules: &Rules{Credentials: []Header{{Name: "X", Value: name, Grant: name}}}}
	}
	r := &Rules{Parts: map[string]Part{"/a": part("a"), "/a/b": part("ab"), "/c/d": part("cd")}}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"a part", "/a/x", "a"},
		{"a part of a part", "/a/b/x/y", "ab"},
		{"another spelling", "/A/%62/", "ab"},
		{"above a part", "/c", ""},
		{"the root", "/", ""},
		{"unclear", "/a/../c/d", "unclear"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, in, err := r.At(tt.path)
			got := ""
			if in {
				got = p.Rules.Grants()[0]
			}
			if err != nil {
				got = "unclear"
			}
			if got != tt.want {
				t.Errorf("At(%s) = %q, %v; want %q", tt.path, got, err, tt.want)
			}
		})
	}
	for name, none := range map[string]*Rules{"nil": nil, "rules without parts": {}} {
		if _, in, err := none.At("/a/../b"); in || err != nil || none.Parted() {
			t.Errorf("%s: At = %t, %v; want neither a part nor an error", name, in, err)
		}
	}
	if diff := cmp.Diff([]string{"a", "ab", "cd"}, r.PartGrants()); diff != "" {
		t.Errorf("PartGrants (-want +got):\n%s", diff)
	}
}

func TestCheckOfParts(t *testing.T) {
	for _, tt := range []struct {
		name, prefix string
		rules        *Rules
		want         string
	}{
		{"the root", "/", &Rules{}, "no canonical prefix"},
		{"capitals", "/A", &Rules{}, "no canonical prefix"},
		{"dots", "/a/..", &Rules{}, "no canonical prefix"},
		{"no rules", "/a", nil, "needs rules of its own"},
		{"parts of a part", "/a", &Rules{Parts: map[string]Part{"/a": {Rules: &Rules{}}}}, "no further parts"},
		{"bad rules", "/a", &Rules{Remove: []string{"a b"}}, "below /a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Rules{Parts: map[string]Part{tt.prefix: {Rules: tt.rules}}}
			if err := r.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestQueryParametersAreTakenOut(t *testing.T) {
	r := &Rules{Query: []string{"key", "access_token"}}
	for _, tt := range []struct{ name, query, want string }{
		{"no query", "", ""},
		{"others stay as they are", "a=1&b=%20+&&c", "a=1&b=%20+&&c"},
		{"alone", "key=x", ""},
		{"first", "key=x&a=1", "a=1"},
		{"last", "a=1&key=x", "a=1"},
		{"in the middle, and again", "a=1&key=x&b=2&key=y&access_token=z", "a=1&b=2"},
		{"without a value", "key&a", "a"},
		{"escaped", "%6Bey=x&a=1", "a=1"},
		{"in another case", "KEY=x&a=1", "a=1"},
		{"behind a semicolon", "a=1;key=x", "a=1"},
		{"a longer name", "keys=x&monkey=y", "keys=x&monkey=y"},
		{"with an escape that is none", "%zz=1&key=x", "%zz=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "https://h/?"+tt.query, nil)
			r.Request(req)
			if req.URL.RawQuery != tt.want {
				t.Errorf("%s became %q, want %q", tt.query, req.URL.RawQuery, tt.want)
			}
		})
	}
}

// FuzzQuery checks that no reader of what is left finds the parameter.
func FuzzQuery(f *testing.F) {
	f.Add("a=1&key=x")
	f.Add("%6bey=1;key=2&&KEY")
	f.Fuzz(func(t *testing.T, query string) {
		r := &Rules{Query: []string{"key"}}
		req := httptest.NewRequest("GET", "https://h/", nil)
		req.URL.RawQuery = query
		r.Request(req)
		if values := req.URL.Query(); values.Has("key") {
			t.Errorf("%q became %q, which has the key", query, req.URL.RawQuery)
		}
		if len(req.URL.RawQuery) > len(query) {
			t.Errorf("%q became longer: %q", query, req.URL.RawQuery)
		}
	})
}
