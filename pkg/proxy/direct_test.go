package proxy

import (
	"io"
	"net/http"
	"testing"
)

func TestAWSEndpoint(t *testing.T) {
	keys := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "keys for "+r.URL.Path) })
	w := newWorld(t)
	w.run("with", RunSpec{AWS: keys})
	w.run("without", RunSpec{})
	for _, tt := range []struct {
		name, authorization string
		status              int
		want                string
	}{
		{"the token of a run with a role", "Bearer with", 200, "keys for /_aws/credentials"},
		{"in another spelling", "bearer  with", 200, "keys for"},
		{"the token of a run without one", "Bearer without", 404, `"code":"aws-role"`},
		{"a token that no run has", "Bearer nobody", 401, `"code":"proxy-token"`},
		{"no token", "Bearer ", 401, "must stand in Authorization: Bearer TOKEN"},
		{"another scheme", basic, 401, "must stand in Authorization"},
		{"no header", "", 401, "must stand in Authorization"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := get(t, w.straight(), w.at("/_aws/credentials"), "Authorization", tt.authorization)
			a.want(t, tt.status, tt.want)
			if a.StatusCode != 200 && (a.Header.Get("Content-Type") != "application/json" || a.Header.Get("X-Moat-Request-Id") == "") {
				t.Errorf("header = %v, want JSON and an id", a.Header)
			}
			if a.StatusCode == 401 && a.Header.Get("WWW-Authenticate") != `Bearer realm="moat"` {
				t.Errorf("WWW-Authenticate = %q", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

// TestClientThatAsksItsProxyForTheProxy has NO_PROXY empty, as in a run.
func TestClientThatAsksItsProxyForTheProxy(t *testing.T) {
	keys := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "keys") })
	w := newWorld(t)
	w.origin("mcp.test", echoAuthorization)
	w.both(RunSpec{AWS: keys, Servers: []MCPServer{linear()}})
	for _, tt := range []struct {
		name, url, authorization string
		status                   int
		want                     string
	}{
		{"the relay, by the address of the proxy", w.relayed("linear", ""), "", 200, `["Bearer s3cret"]`},
		{"by a name that only a container knows", "http://host.docker.internal:19080/mcp/" + relayToken + "/linear", "", 200, `["Bearer s3cret"]`},
		{"a path that makes no sense", w.relayed("linear", "/../x"), "", 400, "dot segments"},
		{"a token that no run has: as any address", w.at("/mcp/0000/linear"), "", 403, "loopback"},
		{"the keys", w.at("/_aws/credentials"), "Bearer tok", 200, "keys"},
		{"the keys, with a token that no run has", w.at("/_aws/credentials"), "Bearer x", 403, "loopback"},
		{"the keys, with none", w.at("/_aws/credentials"), "", 403, "loopback"},
		{"another path", w.at("/other/" + relayToken), "Bearer tok", 403, "loopback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			get(t, w.client(), tt.url, "Authorization", tt.authorization).want(t, tt.status, tt.want)
		})
	}
}
