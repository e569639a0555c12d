package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestEveryVersionOfHTTPOnBothSides(t *testing.T) {
	w := newWorld(t)
	version := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }
	w.origin("one.test", version)
	w.originH2("two.test", version)
	w.run("tok", RunSpec{})
	for _, tt := range []struct {
		name, host, client, origin string
		http                       *http.Client
	}{
		{"HTTP/1.1 to HTTP/1.1", "one.test", "HTTP/1.1", "HTTP/1.1", w.client()},
		{"HTTP/1.1 to HTTP/2", "two.test", "HTTP/1.1", "HTTP/2.0", w.client()},
		{"HTTP/2 to HTTP/1.1", "one.test", "HTTP/2.0", "HTTP/1.1", w.clientH2()},
		{"HTTP/2 to HTTP/2", "two.test", "HTTP/2.0", "HTTP/2.0", w.clientH2()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := get(t, tt.http, "https://"+tt.host+"/")
			res.want(t, http.StatusOK, tt.origin)
			if res.Proto != tt.client {
				t.Errorf("the client spoke %s, want %s", res.Proto, tt.client)
			}
		})
	}
}

func TestTunnelServesManyRequestsOverPooledConnections(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{})
	for range 3 {
		c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
		for range 3 {
			c.ask("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").want(t, http.StatusOK, "hello")
		}
	}
	if got := len(w.dialled()); got != 1 {
		t.Errorf("3 tunnels of 3 requests each dialled the upstream %d times, want 1", got)
	}
}

func TestClientHelloAheadOfTheAnswerToConnect(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{})
	c := w.dial()
	// The first flight of TLS travels in one packet with the CONNECT; its
	// answer is taken from the stream by a connection that skips it.
	early := &eager{wire: c, head: "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nProxy-Authorization: " + basic + "\r\n\r\n"}
	secure := tls.Client(early, &tls.Config{ServerName: "api.test", RootCAs: poolOf(authorities().ours)})
	if err := secure.Handshake(); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	inner := &wire{t, secure, bufio.NewReader(secure)}
	inner.ask("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").want(t, http.StatusOK, "hello")
}

// eager sends head before the first bytes of what is written to it.
type eager struct {
	*wire
	head    string
	skipped bool
}

// Write implements [net.Conn].
func (e *eager) Write(p []byte) (int, error) {
	_, err := e.Conn.Write(append([]byte(e.head), p...))
	e.head = ""
	return len(p), err
}

// Read implements [net.Conn].
func (e *eager) Read(p []byte) (int, error) {
	if !e.skipped {
		e.skipped = true
		e.response("CONNECT")
	}
	return e.in.Read(p)
}

func TestOpenTunnelFollowsItsRun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		client func(*world) *http.Client
	}{
		{"HTTP/1.1", func(w *world) *http.Client { return w.client() }},
		{"HTTP/2", func(w *world) *http.Client { return w.clientH2() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.origin("api.test", echoAuthorization)
			grant := func(token string) {
				w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer(token)}})
			}
			c := tt.client(w)
			grant("one")
			get(t, c, "https://api.test/").want(t, http.StatusOK, `["Bearer one"]`)
			grant("two")
			get(t, c, "https://api.test/").want(t, http.StatusOK, `["Bearer two"]`)
			w.run("tok", RunSpec{Policy: Strict})
			get(t, c, "https://api.test/").want(t, http.StatusForbidden, "on no allow list")
			w.unregister("tok")
			get(t, c, "https://api.test/").want(t, http.StatusProxyAuthRequired, "no run has this proxy token")
			grant("three")
			get(t, c, "https://api.test/").want(t, http.StatusOK, `["Bearer three"]`)
			if got := w.proxy.Open(); got != 1 {
				t.Errorf("%d connections to the proxy are open, want the same one", got)
			}
		})
	}
}

func TestBytesInATunnelThatAreNotTLS(t *testing.T) {
	w := newWorld(t)
	w.run("tok", RunSpec{})
	for _, tt := range []struct{ name, sent, want string }{
		{"HTTP in clear is told so", "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", "400 Bad Request"},
		{"anything else is cut off", "SSH-2.0-OpenSSH_9.6\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := w.dial()
			c.send("CONNECT api.test:22 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", basic)
			c.response("CONNECT")
			c.send("%s", tt.sent)
			got, err := io.ReadAll(c.in)
			if !strings.Contains(string(got), tt.want) || err != nil && tt.want != "" {
				t.Errorf("the tunnel answered %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if got := w.dialled(); len(got) != 0 {
		t.Errorf("dialled %v, want nothing", got)
	}
}

// authority is the table of what may be called the host of a tunnel to
// api.test:443, from the outside to the inside.
var authority = []struct {
	name, target, sni, head string
	status                  int
	text                    string
}{
	{"all names agree", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: api.test\r\n", 200, "api.test /"},
	{"upper case is the same host", "API.Test:443", "Api.TEST", "GET / HTTP/1.1\r\nHost: aPI.test\r\n", 200, "api.test /"},
	{"a trailing dot is the same host", "api.test.:443", "api.test", "GET / HTTP/1.1\r\nHost: api.test.\r\n", 200, "api.test /"},
	{"the port of the scheme may be written", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: api.test:443\r\n", 200, "api.test:443 /"},
	{"SNI may be missing", "api.test:443", "", "GET / HTTP/1.1\r\nHost: api.test\r\n", 200, "api.test /"},
	{"Host may be missing in HTTP/1.0", "api.test:443", "api.test", "GET / HTTP/1.0\r\n", 200, "api.test /"},
	{"an absolute URL of the same host", "api.test:443", "api.test", "GET https://API.test/x HTTP/1.1\r\nHost: api.test\r\n", 200, "api.test /x"},
	{"Host beside an absolute URL does not count", "api.test:443", "api.test", "GET https://api.test/x HTTP/1.1\r\nHost: evil.test\r\n", 200, "api.test /x"},
	{"a path that begins like an authority", "api.test:443", "api.test", "GET //evil.test/x HTTP/1.1\r\nHost: api.test\r\n", 200, "api.test //evil.test/x"},
	{"SNI of another host", "api.test:443", "evil.test", "GET / HTTP/1.1\r\nHost: api.test\r\n", 421, "SNI names evil.test"},
	{"Host of another host", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: evil.test\r\n", 421, "Host names evil.test"},
	{"Host and SNI of another host", "api.test:443", "evil.test", "GET / HTTP/1.1\r\nHost: evil.test\r\n", 421, "names evil.test"},
	{"Host of another port", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: api.test:8443\r\n", 421, "Host names api.test:8443"},
	{"Host without the port of the tunnel", "api.test:8443", "api.test", "GET / HTTP/1.1\r\nHost: api.test\r\n", 421, "Host names api.test"},
	{"an absolute URL of another host", "api.test:443", "api.test", "GET https://evil.test/ HTTP/1.1\r\nHost: api.test\r\n", 400, "is not that of the tunnel"},
	{"an absolute URL of another scheme", "api.test:443", "api.test", "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n", 400, "is not that of the tunnel"},
	{"an absolute URL of another port", "api.test:443", "api.test", "GET https://api.test:444/ HTTP/1.1\r\nHost: api.test\r\n", 400, "is not that of the tunnel"},
	{"an absolute URL without a host", "api.test:443", "api.test", "GET https:opaque HTTP/1.1\r\nHost: api.test\r\n", 400, "is not that of the tunnel"},
	{"Host twice", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: api.test\r\nHost: api.test\r\n", 400, ""},
	{"Host missing in HTTP/1.1", "api.test:443", "api.test", "GET / HTTP/1.1\r\n", 400, "missing required Host header"},
	{"Host that is no host", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: a_b..c\r\n", 400, "Host:"},
	{"a CONNECT inside", "api.test:443", "api.test", "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n", 400, "inside a tunnel"},
	{"TRACE, which shows what was injected", "api.test:443", "api.test", "TRACE / HTTP/1.1\r\nHost: api.test\r\n", 400, "TRACE"},
	{"two lengths that differ", "api.test:443", "api.test", "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400, ""},
	{"an unknown transfer coding", "api.test:443", "api.test", "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: gzip, chunked\r\n", 501, ""},
	{"a header name with a space", "api.test:443", "api.test", "GET / HTTP/1.1\r\nHost: api.test\r\nA : b\r\n", 400, ""},
	{"OPTIONS for the server as a whole", "api.test:443", "api.test", "OPTIONS * HTTP/1.1\r\nHost: api.test\r\n", 200, "api.test *"},
}

func TestAuthority(t *testing.T) {
	w := newWorld(t)
	srv := w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s", r.Host, r.RequestURI)
	})
	srv.Config.DisableGeneralOptionsHandler = true
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real"), "evil.test": bearer("other")}})
	for _, tt := range authority {
		t.Run(tt.name, func(t *testing.T) {
			c := w.tunnel(tt.target, &tls.Config{ServerName: tt.sni, InsecureSkipVerify: tt.sni == ""})
			c.TB = t
			res := c.ask("%s\r\n", tt.head)
			res.want(t, tt.status, tt.text)
			if tt.status == http.StatusOK && !strings.HasSuffix(res.text, tt.text) {
				t.Errorf("the upstream read %q, want %q", res.text, tt.text)
			}
			if ours := tt.text != "" && tt.status != 200 && !strings.Contains(tt.text, " Host header"); ours != (res.Header.Get("X-Moat-Request-Id") != "") {
				t.Errorf("X-Moat-Request-Id = %q", res.Header.Get("X-Moat-Request-Id"))
			}
		})
	}
	if got := len(w.dialled()); got != 1 {
		t.Errorf("dialled %v, want one connection, to api.test alone", w.dialled())
	}
}

func TestAuthorityInHTTP2(t *testing.T) {
	w := newWorld(t)
	w.originH2("api.test", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	w.run("tok", RunSpec{})
	c := w.clientH2()
	for _, tt := range []struct {
		name, authority string
		status          int
		text            string
	}{
		{"the same host", "API.test", 200, "api.test"},
		{"the same host with its port", "api.test:443", 200, "api.test:443"},
		{"another host", "evil.test", 421, "Host names evil.test"},
		{"and the tunnel is still good", "api.test", 200, "api.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest("GET", "https://api.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.authority
			do(t, c, req).want(t, tt.status, tt.text)
		})
	}
}
