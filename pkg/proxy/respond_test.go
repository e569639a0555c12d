package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/inject"
)

func TestAnswersThatFailClosed(t *testing.T) {
	adapted := func(out any) *HostRules {
		return &HostRules{Respond: []Transformer{Adapt(func(any, any) (any, bool) { return out, true })}}
	}
	for _, tt := range []struct {
		name   string
		rules  *HostRules
		reason string
		text   string
	}{
		{"a coding that cannot be opened", scrubbing(), "scrub", `"dcb" is not known`},
		{"a transformer that panics", &HostRules{Respond: []Transformer{Adapt(nil)}}, "transform", "panicked"},
		{"a transformer that returns a string", adapted("x"), "transform", "returned a string"},
		{"a transformer that returns nothing", adapted(nil), "transform", "returned a <nil>"},
		{"a transformer that returns a nil answer", adapted((*http.Response)(nil)), "transform", "*http.Response"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "dcb")
				_, _ = io.WriteString(w, r.Header.Get("Authorization"))
			})
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": tt.rules}})
			res := get(t, w.client(), "https://api.test/")
			res.want(t, http.StatusBadGateway, tt.text)
			if got := res.Header.Get("X-Moat-Error"); got != tt.reason {
				t.Errorf("X-Moat-Error = %q, want %q", got, tt.reason)
			}
			line := w.line()
			if line.Data["status"] != http.StatusBadGateway || line.Data["reason"] != tt.reason {
				t.Errorf("log line = %v, want 502 and %s", line.Data, tt.reason)
			}
			get(t, w.client(), "https://api.test/").want(t, http.StatusBadGateway, "") // the daemon lives
		})
	}
}

func TestTransformersSeeEachOther(t *testing.T) {
	say := func(word string) Transformer {
		return Adapt(func(req, resp any) (any, bool) {
			r, ok1 := req.(*http.Request)
			res, ok2 := resp.(*http.Response)
			if !ok1 || !ok2 {
				return nil, true
			}
			res.Header.Set("X-Said", strings.TrimSpace(res.Header.Get("X-Said")+" "+word+" "+r.URL.Path))
			return res, word != "lost"
		})
	}
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {Respond: []Transformer{say("one"), say("lost"), say("two")}}}})
	res := get(t, w.client(), "https://api.test/p")
	res.want(t, http.StatusOK, "hello")
	if got := res.Header.Get("X-Said"); got != "one /p two /p" {
		t.Errorf("X-Said = %q, want that of the first and the third", got)
	}
}

func TestWorkaround(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Repeat("denied ", 9999))
	})
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {Kinds: []string{inject.OAuthWorkaround}}}})
	c := w.client()
	res := get(t, c, "https://api.test/api/oauth/profile")
	res.want(t, http.StatusOK, "{}")
	if res.ContentLength != 2 || res.Header.Get("X-Moat-Transformed") != "oauth-endpoint-workaround" {
		t.Errorf("length %d, header %v, want 2 and X-Moat-Transformed", res.ContentLength, res.Header)
	}
	if got := w.line().Data["status"]; got != http.StatusOK {
		t.Errorf("status in the log = %v, want what the agent sees", got)
	}
	get(t, c, "https://api.test/api/oauth/other").want(t, http.StatusForbidden, "denied")
}

// TestAScrubbedHostWhoseCredentialIsMissing is still a host of its grant.
func TestAScrubbedHostWhoseCredentialIsMissing(t *testing.T) {
	w := newWorld(t)
	w.run("tok", RunSpec{
		Policy:  Strict,
		Hosts:   map[string]*HostRules{"api.test": {Kinds: []string{inject.Scrub}}},
		Missing: []MissingGrant{{Grant: "g", Hosts: []string{"api.test"}, Reason: "it is gone"}},
	})
	get(t, w.client(), "https://api.test/").want(t, http.StatusServiceUnavailable, "it is gone")
}
