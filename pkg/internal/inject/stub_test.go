package inject

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const stubText = "moat-stub-mcp:linear"

func stubRules(header string) *Rules {
	return &Rules{Stubs: []Stub{{Placeholder: stubText, Credential: Header{Name: header, Value: "Bearer s3cret", Grant: "mcp:linear"}}}}
}

func TestStubs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header string // of the credential
		sent   http.Header
		want   string // the value of the header of the credential, joined by "|"
	}{
		{"alone", "Authorization", http.Header{"Authorization": {stubText}}, "Bearer s3cret"},
		{"after a scheme", "Authorization", http.Header{"Authorization": {"Bearer " + stubText}}, "Bearer s3cret"},
		{"after another scheme, the credential's own counts", "Authorization", http.Header{"Authorization": {"token  " + stubText}}, "Bearer s3cret"},
		{"in a header of another name in another case", "x-api-key", http.Header{"X-Api-Key": {stubText}}, "Bearer s3cret"},
		{"in the second value of the header: one value is left", "X-Key", http.Header{"X-Key": {"other", stubText}}, "Bearer s3cret"},
		{"not sent: nothing is added", "Authorization", http.Header{}, ""},
		{"something else: it stays", "Authorization", http.Header{"Authorization": {"Bearer mine"}}, "Bearer mine"},
		{"the stub of a longer name", "Authorization", http.Header{"Authorization": {"Bearer " + stubText + "2"}}, "Bearer " + stubText + "2"},
		{"inside a sentence", "X-Key", http.Header{"X-Key": {"this is " + stubText}}, "this is " + stubText},
		{"in a header that is not the credential's", "Authorization", http.Header{"X-Other": {stubText}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := &http.Request{URL: &url.URL{Path: "/"}, Header: tt.sent}
			stubRules(tt.header).Request(req)
			if got := strings.Join(req.Header.Values(tt.header), "|"); got != tt.want {
				t.Errorf("%s after Request = %q, want %q", tt.header, got, tt.want)
			}
		})
	}
}

func TestStubFound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		url    string
		header http.Header
		want   bool
	}{
		{"nowhere", "/a?b=c", http.Header{"A": {"b"}}, false},
		{"in a header of any name", "/", http.Header{"X-Whatever": {"key=" + stubText}}, true},
		{"in a quoted value", "/", http.Header{"X-Whatever": {`"` + stubText + `"`}}, true},
		{"in the query", "/?key=" + stubText, nil, true},
		{"in the query, escaped", "/?key=moat-stub-mcp%3Alinear&x=1", nil, true},
		{"at the end of the path, escaped", "/a/%6doat-stub-mcp%3alinear", nil, true},
		{"as the beginning of a longer one", "/", http.Header{"Authorization": {stubText + "-2"}}, false},
		{"as the beginning of a longer one, and then by itself", "/", http.Header{"Authorization": {stubText + "2, " + stubText}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := stubRules("Authorization").Stubs[0].Found(&http.Request{URL: u, Header: tt.header}); got != tt.want {
				t.Errorf("Found(%s, %v) = %v, want %v", tt.url, tt.header, got, tt.want)
			}
		})
	}
}

func TestRulesWithStubs(t *testing.T) {
	r := stubRules("Authorization")
	if !r.Secret() || strings.Join(r.Grants(), ",") != "mcp:linear" {
		t.Errorf("Secret, Grants = %v, %v; want true and mcp:linear", r.Secret(), r.Grants())
	}
	for _, tt := range []struct {
		name string
		stub Stub
		want string // part of the error, "" for none
	}{
		{"a good one", Stub{"moat-stub-a", Header{Name: "X-Key", Value: "v"}}, ""},
		{"an empty one", Stub{"", Header{Name: "X-Key", Value: "v"}}, "must not be empty"},
		{"one with a space", Stub{"moat stub", Header{Name: "X-Key", Value: "v"}}, "hold spaces"},
		{"one for a header of the connection", Stub{"moat-stub-a", Header{Name: "host", Value: "v"}}, "belongs to the connection"},
		{"one whose secret would end the header", Stub{"moat-stub-a", Header{Name: "X-Key", Value: "a\r\nb"}}, "control character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&Rules{Stubs: []Stub{tt.stub}}).Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check = %v, want %q in it", err, tt.want)
			}
		})
	}
}
