package proxy

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhatTheUpstreamReads sends requests through a tunnel and compares the
// headers that arrive.
func TestWhatTheUpstreamReads(t *testing.T) {
	all := &HostRules{
		Remove:      []string{"x-api-key"},
		Substitute:  []Substitution{{Placeholder: "PLACEHOLDER", Secret: "s3cret", Grant: "telegram"}},
		Extra:       []Header{{Name: "Anthropic-Beta", Value: "oauth"}, {Name: "Authorization", Value: "never"}},
		Credentials: []Header{{Name: "Authorization", Value: "Bearer real", Grant: "claude"}},
	}
	substitute := &HostRules{Substitute: all.Substitute}
	for _, tt := range []struct {
		name   string
		rules  *HostRules
		target string
		sent   string // lines
		want   []string
	}{
		{"nothing is added where there are no rules", nil, "/", "Accept: */*\r\n", []string{"/", "Accept: */*"}},
		{"the credential is put in", bearer("real"), "/", "", []string{"/", "Authorization: Bearer real"}},
		{"the agent's own header of that name never leaves", bearer("real"), "/", "Authorization: Bearer mine\r\n", []string{"/", "Authorization: Bearer real"}},
		{"nor in lower case, nor twice", bearer("real"), "/", "authorization: a\r\nAUTHORIZATION: b\r\n", []string{"/", "Authorization: Bearer real"}},
		{"a Connection header does not take the credential out", bearer("real"), "/", "Connection: Authorization\r\nAuthorization: a\r\n", []string{"/", "Authorization: Bearer real"}},
		{"what belongs to the connection or the proxy stays here", nil, "/", "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\nProxy-Authorization: Basic x\r\nProxy-Odd: 1\r\nX-End: 2\r\n", []string{"/", "X-End: 2"}},
		{"strip, substitute, extra, inject: in this order", all, "/botPLACEHOLDER/x?k=PLACEHOLDER", "X-Api-Key: k\r\nAuthorization: PLACEHOLDER\r\nAnthropic-Beta: tools\r\n", []string{"/bots3cret/x?k=s3cret", "Anthropic-Beta: tools, oauth", "Authorization: Bearer real"}},
		{"a placeholder inside Basic", substitute, "/", "Authorization: Basic dTpQTEFDRUhPTERFUg==\r\n", []string{"/", "Authorization: Basic dTpzM2NyZXQ="}},
		{"a query that Go cannot parse", nil, "/?a;b&%zz&=&c=%20+", "", []string{"/?a;b&%zz&=&c=%20+"}},
		{"an empty query", nil, "/?", "", []string{"/?"}},
		{"a path that is escaped in its own way", nil, "/a%2Fb/%41//../c", "", []string{"/a%2Fb/%41//../c"}},
		{"a user agent that the rules remove does not become Go's", &HostRules{Remove: []string{"User-Agent"}}, "/", "User-Agent: curl\r\n", []string{"/"}},
		{"accepted encodings are the client's", nil, "/", "Accept-Encoding: br\r\n", []string{"/", "Accept-Encoding: br"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.RequestURI+"\r\n")
				_ = r.Header.Write(w)
			})
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": tt.rules}})
			c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
			res := c.ask("GET %s HTTP/1.1\r\nHost: api.test\r\n%s\r\n", tt.target, tt.sent)
			got := strings.Split(strings.TrimSuffix(res.text, "\r\n"), "\r\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the upstream read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaceholderInABodyGoesOutAsItIs(t *testing.T) {
	w := newWorld(t)
	w.origin("other.test", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{
		"api.test": {Substitute: []Substitution{{Placeholder: "PLACEHOLDER", Secret: "s3cret"}}},
	}})
	req, err := http.NewRequest("POST", "https://other.test/", strings.NewReader("I was given PLACEHOLDER"))
	if err != nil {
		t.Fatal(err)
	}
	do(t, w.client(), req).want(t, http.StatusOK, "I was given PLACEHOLDER")
}

func TestPlaceholderOfAnotherHost(t *testing.T) {
	w := newWorld(t)
	w.origin("one.test", echoAuthorization)
	w.origin("two.test", echoAuthorization)
	w.origin("other.test", echoAuthorization)
	shared := []Substitution{{Placeholder: "PLACEHOLDER", Secret: "s3cret"}}
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"one.test": {Substitute: shared}, "two.test": {Substitute: shared}}})
	c := w.client()
	for _, tt := range []struct {
		name, url string
		header    []string
		status    int
		text      string
	}{
		{"its own host gets the secret", "https://one.test/", []string{"Authorization", "Bearer PLACEHOLDER"}, 200, "s3cret"},
		{"and so does a second host of the same grant", "https://two.test/", []string{"Authorization", "Bearer PLACEHOLDER"}, 200, "s3cret"},
		{"another host: in Authorization", "https://other.test/", []string{"Authorization", "Bearer PLACEHOLDER"}, 403, "a placeholder"},
		{"another host: inside Basic", "https://other.test/", []string{"Authorization", "Basic dTpQTEFDRUhPTERFUg=="}, 403, "a placeholder"},
		{"another host: in a header of another name", "https://other.test/", []string{"X-Api-Key", "PLACEHOLDER"}, 403, "a placeholder"},
		{"another host: in the path", "https://other.test/botPLACEHOLDER/", nil, 403, "a placeholder"},
		{"another host: in the path, with a letter escaped", "https://other.test/bot%50LACEHOLDER/", nil, 403, "a placeholder"},
		{"another host: in the query", "https://other.test/?key=PLACEHOLDER", nil, 403, "a placeholder"},
		{"another host: in the query, with a letter escaped", "https://other.test/?%zz&key=%50LACEHOLDER", nil, 403, "a placeholder"},
		{"another host: nowhere", "https://other.test/", []string{"Authorization", "mine"}, 200, "mine"},
	} {
		t.Run(tt.name, func(t *testing.T) { get(t, c, tt.url, tt.header...).want(t, tt.status, tt.text) })
	}
}
