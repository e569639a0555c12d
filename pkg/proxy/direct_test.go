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
	w.run("tok", RunSpec{AWS: keys}) // through the proxy, the path is one of another server
	get(t, w.client(), w.at("/_aws/credentials"), "Authorization", "Bearer tok").want(t, 403, "loopback")
}
