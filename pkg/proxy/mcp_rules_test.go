package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRelayWithoutItsCredential(t *testing.T) {
	missing := func(s MCPServer) MCPServer { s.Secret = ""; return s }
	other := MCPServer{Name: "other", URL: "https://mcp.test/other", Grant: "mcp:other", Secret: "0ther"}
	open := MCPServer{Name: "open", URL: "https://mcp.test/open"}
	reason := []MissingGrant{{Grant: "mcp:linear", Hosts: []string{"mcp.test:443"}, Reason: "run `moat grant mcp:linear`"}}
	w := newWorld(t)
	w.origin("mcp.test", echoAuthorization)
	w.both(RunSpec{Servers: []MCPServer{missing(linear()), other, open}, Missing: reason})
	c := w.straight()
	a := get(t, c, w.relayed("linear", ""), "Accept", "application/json, text/event-stream")
	a.want(t, 503, "moat grant mcp:linear")
	if a.Header.Get("X-Moat-Blocked") != "credential-unavailable" || a.Header.Get("X-Moat-Request-Id") == "" {
		t.Errorf("header = %v, want the reason and an id", a.Header)
	}
	get(t, c, w.relayed("other", "")).want(t, 200, `["Bearer 0ther"]`)
	get(t, c, w.relayed("open", "")).want(t, 503, "moat grant mcp:linear") // nobody knows whom the missing one is for
	get(t, w.client(), "https://mcp.test/").want(t, 503, "moat grant mcp:linear")

	w.both(RunSpec{Servers: []MCPServer{linear(), other, open}}) // the grant is there again
	get(t, c, w.relayed("linear", "")).want(t, 200, `["Bearer s3cret"]`)

	w.both(RunSpec{Servers: []MCPServer{missing(linear())}})
	get(t, c, w.relayed("linear", ""), "Authorization", "Bearer moat-stub-mcp:linear").want(t, 503, "grant mcp:linear: no credential")
	w.mu.Lock()
	w.runs[relayToken] = Refusing("r", io.ErrUnexpectedEOF)
	w.mu.Unlock()
	get(t, c, w.relayed("linear", "")).want(t, 503, "the rules of this run cannot be used")
}

func TestStubThroughTheProxy(t *testing.T) {
	key := MCPServer{Name: "key", URL: "https://mcp.test/key", Header: "X-Key", Grant: "mcp:key", Secret: "k3y"}
	for _, tt := range []struct {
		name, url string
		sent      []string
		status    int
		want      string
	}{
		{"in its header", "https://mcp.test/mcp", []string{"Authorization", "Bearer moat-stub-mcp:linear"}, 200, `["Bearer s3cret"] []`},
		{"in that of the other server of the host", "https://mcp.test/x", []string{"X-Key", "moat-stub-mcp:key"}, 200, `[] ["k3y"]`},
		{"not sent: no credential is put in", "https://mcp.test/mcp", nil, 200, `[] []`},
		{"in that of another server at another host with the same grant", "https://twin.test/", []string{"Authorization", "moat-stub-mcp:linear"}, 200, `["Bearer s3cret"] []`},
		{"to another host", "https://other.test/", []string{"Authorization", "Bearer moat-stub-mcp:linear"}, 403, "placeholder"},
		{"in the query for another host", "https://other.test/?k=moat-stub-mcp:key", nil, 403, "placeholder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			both := func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprintf(w, "%q %q", r.Header.Values("Authorization"), r.Header.Values("X-Key"))
			}
			w.origin("mcp.test", both)
			w.origin("other.test", both)
			w.origin("twin.test", both)
			twin := linear()
			twin.Name, twin.URL = "twin", "https://twin.test"
			w.both(RunSpec{Servers: []MCPServer{linear(), key, twin}})
			get(t, w.client(), tt.url, tt.sent...).want(t, tt.status, tt.want)
		})
	}
	w := relayWorld(t, hello, linear(), MCPServer{Name: "b", URL: "https://b.test/", Grant: "mcp:b", Secret: "b"})
	get(t, w.straight(), w.relayed("linear", ""), "Authorization", "moat-stub-mcp:b").want(t, 403, "placeholder")
}

func TestServerBesideOtherRulesOfItsHost(t *testing.T) {
	w := newWorld(t)
	w.origin("mcp.test", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s", r.Header.Get("Authorization"), r.Header.Get("X-Extra"))
	})
	rules := bearer("grants")
	rules.Extra = []Header{{Name: "X-Extra", Value: "1"}}
	w.both(RunSpec{Hosts: map[string]*HostRules{"mcp.test": rules}, Servers: []MCPServer{linear()}})
	get(t, w.straight(), w.relayed("linear", "")).want(t, 200, "Bearer s3cret 1")
	get(t, w.client(), "https://mcp.test/").want(t, 200, "Bearer grants 1")
	if len(rules.Stubs)+len(rules.Remove) > 0 || len(rules.Credentials) != 1 {
		t.Errorf("the rules of the host are %+v now, want them as they were", rules)
	}
}

// TestRelayObeysTheAddressCheck has a server at an address that the run may not
// reach, and on this machine.
func TestRelayObeysTheAddressCheck(t *testing.T) {
	local := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(local.Close)
	_, port, _ := net.SplitHostPort(local.Listener.Addr().String())
	w := newWorld(t)
	w.dns["intern.test"] = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	w.routes["127.0.0.1:"+port] = local.Listener.Addr().String()
	servers := []MCPServer{{Name: "intern", URL: "https://intern.test/"}, {Name: "local", URL: "http://localhost:" + port}}
	w.both(RunSpec{Servers: servers})
	get(t, w.straight(), w.relayed("intern", "")).want(t, 403, "private")
	get(t, w.straight(), w.relayed("local", "")).want(t, 403, "moat run --allow localhost:"+port)
	w.both(RunSpec{Servers: servers, Allow: []string{"localhost:" + port}})
	get(t, w.straight(), w.relayed("local", "")).want(t, 200, "hello")
}

func TestServersThatMakeNoSense(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*MCPServer)
		want   string // part of the error, "" for none
	}{
		{"a good one", func(*MCPServer) {}, ""},
		{"http on this machine", func(s *MCPServer) { s.URL = "http://127.0.0.1:3000/mcp" }, ""},
		{"a name with every sign", func(s *MCPServer) { s.Name = "A.b_c-9" }, ""},
		{"no name", func(s *MCPServer) { s.Name = "" }, "1 to 64 letters"},
		{"a name with a slash", func(s *MCPServer) { s.Name = "a/b" }, "1 to 64 letters"},
		{"a name that leads up", func(s *MCPServer) { s.Name = ".." }, "1 to 64 letters"},
		{"a name of 65", func(s *MCPServer) { s.Name = strings.Repeat("a", 65) }, "1 to 64 letters"},
		{"a name twice", func(s *MCPServer) { s.Name = "first" }, "stands there twice"},
		{"no URL", func(s *MCPServer) { s.URL = "" }, "must be absolute"},
		{"a path alone", func(s *MCPServer) { s.URL = "/mcp" }, "must be absolute"},
		{"http elsewhere", func(s *MCPServer) { s.URL = "http://mcp.test/" }, "must begin with https://"},
		{"another scheme", func(s *MCPServer) { s.URL = "ftp://mcp.test/" }, "must begin with https://"},
		{"a user in the URL", func(s *MCPServer) { s.URL = "https://u:p@mcp.test/" }, "no user"},
		{"a fragment", func(s *MCPServer) { s.URL = "https://mcp.test/#a" }, "no fragment"},
		{"a host that is none", func(s *MCPServer) { s.URL = "https://a..b/" }, "URL: "},
		{"dot segments", func(s *MCPServer) { s.URL = "https://mcp.test/a/%2e%2e/b" }, "dot segments"},
		{"a header that is none", func(s *MCPServer) { s.Header = "X Key" }, "no header name"},
		{"a header of the connection", func(s *MCPServer) { s.Header = "Host" }, "belongs to the connection"},
		{"a header of the proxy", func(s *MCPServer) { s.Header = "proxy-authorization" }, "cannot carry a credential"},
		{"a secret that would end the header", func(s *MCPServer) { s.Secret = "a\nb" }, "control character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := linear()
			tt.change(&s)
			_, err := NewRunContextData(RunSpec{Servers: []MCPServer{{Name: "first", URL: "https://first.test"}, s}})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewRunContextData with %+v: %v, want %q in it", s, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error %q has the secret", err)
			}
		})
	}
}

// TestFormsAgreeOnServers has each form of a request judged alike.
func TestFormsAgreeOnServers(t *testing.T) {
	d, err := NewRunContextData(RunSpec{Policy: Strict, Servers: []MCPServer{linear()}})
	if err != nil {
		t.Fatal(err)
	}
	relayed := mustHead(t, "https://mcp.test/mcp")
	plain := relayed
	relayed.Server = "linear"
	a, b := d.Decide(relayed), d.Decide(plain)
	if a.Status != 0 || b.Status != 0 || a.Rule != "mcp linear" || b.Rule != "grant mcp:linear" {
		t.Errorf("relayed: %+v, through the proxy: %+v; want both to go out", a, b)
	}
	if diff := cmp.Diff(a.Rules.Grants(), b.Rules.Grants()); diff != "" {
		t.Errorf("grants of a relayed request (-) and one through the proxy (+):\n%s", diff)
	}
	relayed.Server = "gone"
	if v := d.Decide(relayed); v.Status != 404 {
		t.Errorf("Decide of a server that is gone = %+v, want 404 and no credential", v)
	}
}

func mustHead(tb testing.TB, url string) Head {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.Background(), "GET", url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	h, err := plainHead(req)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}
