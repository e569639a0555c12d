package proxy

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
)

// seenBody is what an origin has of a body.
type seenBody struct {
	length  int64
	chunked bool
	text    string
	trailer string
}

func TestPlaceholderInABody(t *testing.T) {
	got := make(chan seenBody, 1)
	origin := func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- seenBody{r.ContentLength, len(r.TransferEncoding) > 0, string(b), r.Trailer.Get("X-Sum")}
	}
	long := strings.Repeat("x", 300<<10)
	for _, tt := range []struct {
		name string
		body io.Reader
		want seenBody
	}{
		{"a short body has its new length", strings.NewReader("key=PLACE"), seenBody{length: 10, text: "key=secret", trailer: ""}},
		{"a body of unknown length", io.MultiReader(strings.NewReader("key=PL"), strings.NewReader("ACE")), seenBody{length: -1, text: "key=secret"}},
		{"a long body", strings.NewReader(long + "PLACE"), seenBody{length: -1, text: long + "secret"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, v := range versions() {
				t.Run(v.name, func(t *testing.T) {
					w, c := v.world(t, origin)
					w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {Substitute: []Substitution{{Placeholder: "PLACE", Secret: "secret"}}}}})
					if r, ok := tt.body.(io.Seeker); ok {
						_, _ = r.Seek(0, io.SeekStart)
					}
					req := post(t, tt.body)
					if tt.name == "a body of unknown length" {
						req.Body = io.NopCloser(io.MultiReader(strings.NewReader("key=PL"), strings.NewReader("ACE")))
						req.Trailer = http.Header{"X-Sum": {"42"}}
						tt.want.trailer = "42"
					}
					do(t, c, req).want(t, http.StatusOK, "")
					body := receive(t, "the body", got)
					body.chunked = false // HTTP/2 has no chunks
					if body != tt.want {
						t.Errorf("the upstream has length %d, trailer %q and …%.40q, want %d, %q and …%.40q", body.length, body.trailer,
							body.text[max(0, len(body.text)-40):], tt.want.length, tt.want.trailer, tt.want.text[max(0, len(tt.want.text)-40):])
					}
				})
			}
		})
	}
}

func TestPlaceholderInABodyThatWaitsForA100(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {Substitute: []Substitution{{Placeholder: "PLACE", Secret: "secret"}}}}})
	const head = "POST %s HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	c.send(head, "/yes")
	if res := c.response("POST"); res.StatusCode != http.StatusContinue {
		t.Fatalf("the first answer is %s, want 100", res.Status)
	}
	c.send("PLACE")
	read(t, c.response("POST")).want(t, http.StatusOK, "secret")
	c = w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	c.send(head, "/no")
	if res := c.response("POST"); res.StatusCode != http.StatusExpectationFailed {
		t.Errorf("the first answer is %s, want 417", res.Status)
	}
}

// TestAPlaceholderInABodyForAnotherHostIsLeft is how a transcript that quotes
// the placeholder can still be sent.
func TestAPlaceholderInABodyForAnotherHostIsLeft(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"other.test": {Substitute: []Substitution{{Placeholder: "PLACE", Secret: "secret"}}}}})
	do(t, w.client(), post(t, strings.NewReader("a PLACE"))).want(t, http.StatusOK, "a PLACE")
}
