package inject

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequest(t *testing.T) {
	bearer := []Header{{Name: "authorization", Value: "Bearer real", Grant: "g"}}
	telegram := []Substitution{{Placeholder: "PLACE", Secret: "123:a b"}}
	for _, tt := range []struct {
		name   string
		rules  *Rules
		target string
		sent   http.Header
		want   http.Header
		wantTo string
	}{
		{
			name: "no rules take out Proxy-* alone", target: "/",
			sent: http.Header{"Proxy-Authorization": {"Basic x"}, "proxy-odd": {"1"}, "Accept": {"*/*"}},
			want: http.Header{"Accept": {"*/*"}},
		},
		{
			name: "the credential replaces every value that the agent sent", target: "/",
			rules: &Rules{Credentials: bearer},
			sent:  http.Header{"Authorization": {"Bearer mine", "Bearer other"}},
			want:  http.Header{"Authorization": {"Bearer real"}},
		},
		{
			name: "a rule that removes the injected header does not remove the credential", target: "/",
			rules: &Rules{Remove: []string{"Authorization"}, Credentials: bearer},
			sent:  http.Header{"Authorization": {"Bearer mine"}},
			want:  http.Header{"Authorization": {"Bearer real"}},
		},
		{
			name: "an extra header joins the list of the client", target: "/",
			rules: &Rules{Extra: []Header{{Name: "anthropic-beta", Value: "oauth"}}},
			sent:  http.Header{"Anthropic-Beta": {"tools", "files"}},
			want:  http.Header{"Anthropic-Beta": {"tools, files, oauth"}},
		},
		{
			name: "an extra header that the client has is not doubled", target: "/",
			rules: &Rules{Extra: []Header{{Name: "Anthropic-Beta", Value: "oauth"}}},
			sent:  http.Header{"Anthropic-Beta": {"oauth,tools"}},
			want:  http.Header{"Anthropic-Beta": {"oauth,tools"}},
		},
		{
			name: "an extra header cannot undo the credential", target: "/",
			rules: &Rules{Extra: []Header{{Name: "Authorization", Value: "x"}}, Credentials: bearer},
			want:  http.Header{"Authorization": {"Bearer real"}},
		},
		{
			name: "a placeholder in the path becomes the secret, escaped", target: "/botPLACE/send%2Fnow",
			rules: &Rules{Substitute: telegram}, wantTo: "/bot123:a%20b/send%2Fnow",
		},
		{
			name: "a placeholder in the query becomes the secret, escaped", target: "/?a=%20&k=PLACE&z",
			rules: &Rules{Substitute: telegram}, wantTo: "/?a=%20&k=123%3Aa+b&z",
		},
		{
			name: "an escaped placeholder is found", target: "/?k=a%2Fb",
			rules:  &Rules{Substitute: []Substitution{{Placeholder: "a/b", Secret: "s"}}},
			wantTo: "/?k=s",
		},
		{
			name: "a placeholder with escaped letters is found", target: "/bot%50LACE/%41?k=PL%41CE&%zz",
			rules: &Rules{Substitute: telegram}, wantTo: "/bot123:a%20b/%41?k=123%3Aa+b&%zz",
		},
		{
			name: "a placeholder is not found in the digits of an escape", target: "/?k=%2F2F",
			rules:  &Rules{Substitute: []Substitution{{Placeholder: "2F", Secret: "s"}}},
			wantTo: "/?k=%2Fs",
		},
		{
			name: "a placeholder inside Basic is found", target: "/",
			rules: &Rules{Substitute: []Substitution{{Placeholder: "PLACE", Secret: "real"}}},
			sent:  http.Header{"Authorization": {"Basic dXNlcjpQTEFDRQ=="}}, // user:PLACE
			want:  http.Header{"Authorization": {"Basic dXNlcjpyZWFs"}},     // user:real
		},
		{
			name: "a placeholder after Bearer is found", target: "/",
			rules: &Rules{Substitute: []Substitution{{Placeholder: "PLACE", Secret: "real"}}},
			sent:  http.Header{"Authorization": {"Bearer PLACE"}},
			want:  http.Header{"Authorization": {"Bearer real"}},
		},
		{
			name: "a placeholder in another header is left alone", target: "/",
			rules: &Rules{Substitute: []Substitution{{Placeholder: "PLACE", Secret: "real"}}},
			sent:  http.Header{"X-Note": {"PLACE"}},
			want:  http.Header{"X-Note": {"PLACE"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "http://host"+tt.target, nil)
			if tt.sent != nil {
				req.Header = tt.sent
			}
			tt.rules.Request(req)
			if tt.want == nil {
				tt.want = http.Header{}
			}
			if diff := cmp.Diff(tt.want, req.Header); diff != "" {
				t.Errorf("Request: headers (-want +got):\n%s", diff)
			}
			if tt.wantTo == "" {
				tt.wantTo = tt.target
			}
			if got := req.URL.RequestURI(); got != tt.wantTo {
				t.Errorf("Request: target = %q, want %q", got, tt.wantTo)
			}
		})
	}
}

func TestFound(t *testing.T) {
	s := Substitution{Placeholder: "P/1", Secret: "real"}
	for _, tt := range []struct {
		name, target, authorization string
		want                        bool
	}{
		{"nowhere", "/a?b=c", "Bearer x", false},
		{"in the path as it is", "/botP/1/x", "", true},
		{"in the path, escaped", "/botP%2F1/x", "", true},
		{"in the query", "/?k=P%2F1", "", true},
		{"in Authorization", "/", "Bearer P/1", true},
		{"inside Basic", "/", "basic dTpQLzE=", true}, // u:P/1
		{"in the path, with a letter escaped", "/bot%50/1", "", true},
		{"in a query that Go cannot parse", "/?%zz;k=%50%2f1", "", true},
		{"half of it", "/?k=P", "", false},
		{"with an escape that ends too early", "/?k=P%2", "", false},
		{"across the end of an escape", "/?k=%5P%201", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "http://host"+tt.target, nil)
			if tt.authorization != "" {
				req.Header.Set("Authorization", tt.authorization)
			}
			if got := s.Found(req); got != tt.want {
				t.Errorf("Found(%s, %q) = %t, want %t", tt.target, tt.authorization, got, tt.want)
			}
		})
	}
}

func TestGrantsAreNamedOnce(t *testing.T) {
	r := &Rules{
		Credentials: []Header{{Name: "A", Grant: "x"}, {Name: "B"}, {Name: "C", Grant: "y"}, {Name: "D", Grant: "x"}},
		Substitute:  []Substitution{{Placeholder: "p", Grant: "z"}, {Placeholder: "q", Grant: "y"}},
	}
	if diff := cmp.Diff([]string{"x", "y", "z"}, r.Grants()); diff != "" {
		t.Errorf("Grants (-want +got):\n%s", diff)
	}
	var none *Rules
	if none.Grants() != nil || none.Secret() {
		t.Errorf("nil rules have grants %v, secret %t", none.Grants(), none.Secret())
	}
}

// FuzzRequest checks that whatever the agent sends, the upstream sees exactly
// one Authorization, ours, and no header of the proxy's own.
func FuzzRequest(f *testing.F) {
	f.Add("/a", "Authorization", "Bearer x", "Proxy-Authorization", "Basic y")
	f.Add("/PLACE", "authorization", "Basic UExBQ0U=", "Connection", "authorization")
	rules := &Rules{
		Substitute:  []Substitution{{Placeholder: "PLACE", Secret: "S3"}},
		Extra:       []Header{{Name: "X-Extra", Value: "e"}},
		Credentials: []Header{{Name: "Authorization", Value: "Bearer real"}},
	}
	f.Fuzz(func(t *testing.T, target, k1, v1, k2, v2 string) {
		req, err := http.NewRequest("GET", "http://h", nil)
		if err != nil {
			t.Skip("not a request")
		}
		if u, err := req.URL.Parse(target); err == nil && u.Host == "h" {
			req.URL = u
		}
		req.Header.Add(k1, v1)
		req.Header.Add(k2, v2)
		rules.Request(req)
		if got := req.Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer real" {
			t.Errorf("Authorization = %q, want ours alone", got)
		}
		for name := range req.Header {
			if strings.HasPrefix(strings.ToLower(name), "proxy-") {
				t.Errorf("%s is still there", name)
			}
		}
		if rules.Substitute[0].Found(&http.Request{URL: req.URL}) {
			t.Errorf("the placeholder is still in %s", req.URL)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	rules := &Rules{Credentials: []Header{{Name: "Authorization", Value: "Bearer real"}}, Remove: []string{"X-Api-Key"}}
	req := httptest.NewRequest("GET", "http://host/a/b?c=d", nil)
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", "x")
	for b.Loop() {
		rules.Request(req)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules Rules
		want  string
	}{
		{"the zero value is fine", Rules{}, ""},
		{"a header name with a space", Rules{Remove: []string{"X Y"}}, "no header name"},
		{"an empty header name", Rules{Credentials: []Header{{Value: "v"}}}, "no header name"},
		{"a line break in a value", Rules{Credentials: []Header{{Name: "A", Value: "v\r\nB: c"}}}, "control character"},
		{"a NUL in an extra header", Rules{Extra: []Header{{Name: "A", Value: "\x00"}}}, "control character"},
		{"a header of the connection", Rules{Credentials: []Header{{Name: "content-length", Value: "0"}}}, "belongs to the connection"},
		{"an empty secret", Rules{Substitute: []Substitution{{Placeholder: "p"}}}, "needs a placeholder and a secret"},
		{"an empty placeholder", Rules{Substitute: []Substitution{{Secret: "s"}}}, "needs a placeholder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.rules.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check(%+v) = %v, want %q", tt.rules, err, tt.want)
			}
		})
	}
}

func TestNilRulesAreFine(t *testing.T) {
	var none *Rules
	if err := none.Check(); err != nil || none.Knows("p") {
		t.Errorf("nil rules: Check = %v, Knows = %t", err, none.Knows("p"))
	}
}

func TestTrailersHaveNothingThatTheHeaderMustNotHave(t *testing.T) {
	r := &Rules{Remove: []string{"X-Api-Key"}, Credentials: []Header{{Name: "authorization", Value: "v"}}}
	trailer := http.Header{"Authorization": nil, "X-Api-Key": nil, "Proxy-Status": nil, "Grpc-Status": nil}
	r.Trailer(trailer)
	if diff := cmp.Diff(http.Header{"Grpc-Status": nil}, trailer); diff != "" {
		t.Errorf("Trailer (-want +got):\n%s", diff)
	}
}

func ExampleRules_Request() {
	rules := &Rules{
		Extra:       []Header{{Name: "Anthropic-Beta", Value: "oauth-2025-04-20"}},
		Credentials: []Header{{Name: "Authorization", Value: "Bearer real", Grant: "claude"}},
	}
	out := httptest.NewRequest("GET", "https://api.anthropic.com/v1/models", nil)
	out.Header.Set("Authorization", "Bearer what the agent has")
	rules.Request(out)
	fmt.Println(out.Header.Get("Anthropic-Beta"))
	fmt.Println(out.Header.Get("Authorization"))
	// Output:
	// oauth-2025-04-20
	// Bearer real
}
