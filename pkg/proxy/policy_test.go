package proxy

import (
	"net/http"
	"strings"
	"testing"
)

// TestRefusedConnect checks that a tunnel that leads nowhere opens, and tells
// why in each answer.
func TestRefusedConnect(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{RunID: "run_1", Policy: Strict, Allow: []string{"other.test"}})
	for _, tt := range []struct {
		name   string
		client *http.Client
	}{{"HTTP/1.1", w.client()}, {"HTTP/2", w.clientH2()}} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				res := get(t, tt.client, "https://api.test/secret/path")
				res.want(t, http.StatusForbidden, "moat run --allow api.test\n")
				if got := res.Header.Get("X-Moat-Blocked"); got != "network-policy" {
					t.Errorf("X-Moat-Blocked = %q, want network-policy", got)
				}
			}
		})
	}
	if got := w.dialled(); len(got) != 0 || w.asked != 0 {
		t.Errorf("dialled %v and looked up %d names, want none", got, w.asked)
	}
}

func TestRefusedPlainRequest(t *testing.T) {
	w := newWorld(t)
	w.run("tok", RunSpec{Policy: Strict})
	res := get(t, w.client(), "http://api.test/")
	res.want(t, http.StatusProxyAuthRequired, "on no allow list")
	if got := res.Header.Get("Proxy-Authenticate"); got != "Moat-Policy" {
		t.Errorf("Proxy-Authenticate = %q, want Moat-Policy", got)
	}
}

func TestRefuseAtConnect(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RefuseAtConnect = true })
	w.origin("api.test", hello)
	w.run("tok", RunSpec{RunID: "run_1", Policy: Strict, Allow: []string{"api.test"}})
	get(t, w.client(), "https://api.test/").want(t, http.StatusOK, "hello")
	if line := w.line(); line.Data["status"] != http.StatusOK {
		t.Errorf("log line = %v", line.Data)
	}
	c := w.dial()
	res := c.ask("CONNECT other.test:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", basic)
	res.want(t, http.StatusProxyAuthRequired, "on no allow list")
	if got := res.Header.Get("Proxy-Authenticate"); got != "Moat-Policy" {
		t.Errorf("Proxy-Authenticate = %q, want Moat-Policy", got)
	}
	if line := w.line(); line.Data["reason"] != "network-policy" || line.Data["host"] != "other.test:443" {
		t.Errorf("log line = %v, want that of the refused CONNECT", line.Data)
	}
}

func TestConnectToNowhere(t *testing.T) {
	w := newWorld(t)
	w.run("tok", RunSpec{})
	for _, tt := range []struct{ name, target, text string }{
		{"without a port", "api.test", "the port is missing"},
		{"with port 0", "api.test:0", "CONNECT"},
		{"to a name that is none", "a..b:443", "CONNECT"},
		{"to an address with a zone", "[fe80::1%25eth0]:443", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := w.dial()
			c.ask("CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", tt.target, basic).
				want(t, http.StatusBadRequest, tt.text)
		})
	}
}

func TestRequestsStraightToThePort(t *testing.T) {
	w := newWorld(t)
	w.run("tok", RunSpec{})
	for _, tt := range []struct {
		name, head string
		status     int
		text       string
	}{
		{"in origin form", "GET / HTTP/1.1\r\nHost: localhost\r\n", 400, "this is a proxy"},
		{"OPTIONS for the server as a whole", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n", 400, "this is a proxy"},
		{"of another scheme", "GET ftp://api.test/ HTTP/1.1\r\nHost: api.test\r\n", 400, "this is a proxy"},
		{"of a URL without a host", "GET http:/x HTTP/1.1\r\nHost: api.test\r\n", 400, "this is a proxy"},
		{"of a host that is none", "GET http://a..b/ HTTP/1.1\r\nHost: api.test\r\n", 400, "host"},
		{"that are TRACE", "TRACE http://api.test/ HTTP/1.1\r\nHost: api.test\r\n", 400, "TRACE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := w.dial()
			c.ask("%sProxy-Authorization: %s\r\n\r\n", tt.head, basic).want(t, tt.status, tt.text)
		})
	}
}

func TestHeaderOfTwoMegabytes(t *testing.T) {
	w := newWorld(t)
	w.run("tok", RunSpec{})
	c := w.dial()
	go func() { // the proxy answers before all of it is sent
		_, _ = c.Write([]byte("GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\nX-Long: " + strings.Repeat("a", 2<<20) + "\r\n\r\n"))
	}()
	if res := c.response("GET"); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("the answer is %s, want 431", res.Status)
	}
}

func TestCredentialInClear(t *testing.T) {
	w := newWorld(t)
	w.originPlain("api.test", echoAuthorization)
	w.originPlain("lan.test", echoAuthorization)
	allowed := bearer("lan")
	allowed.Cleartext = true
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real"), "lan.test": allowed}})
	c := w.client()
	res := get(t, c, "http://api.test/")
	res.want(t, http.StatusForbidden, "use https://")
	if got := res.Header.Get("X-Moat-Blocked"); got != "cleartext" {
		t.Errorf("X-Moat-Blocked = %q, want cleartext", got)
	}
	get(t, c, "http://lan.test/").want(t, http.StatusOK, "Bearer lan")
}

func TestCredentialOverHTTPSInAbsoluteForm(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", echoAuthorization)
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real")}})
	c := w.dial()
	c.ask("GET https://api.test/ HTTP/1.1\r\nHost: evil.test\r\nProxy-Authorization: %s\r\n\r\n", basic).
		want(t, http.StatusOK, "Bearer real")
}
