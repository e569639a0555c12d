package routing

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// echo is a service that sends WebSocket messages back, in capitals. It checks,
// as frameworks do, that Origin and Host agree.
func echo(tb testing.TB) http.HandlerFunc {
	tb.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			tb.Logf("accept: %v", err)
			return
		}
		defer conn.CloseNow()
		for {
			kind, msg, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if err := conn.Write(r.Context(), kind, []byte(strings.ToUpper(string(msg)))); err != nil {
				return
			}
		}
	}
}

func TestWebSocket(t *testing.T) {
	w := newWorld(t)
	w.service("a", "hmr", echo(t))
	c := w.client()
	for _, scheme := range []string{"ws", "wss"} {
		origin := strings.Replace(scheme, "ws", "http", 1) + "://hmr.a.localhost"
		conn, _, err := websocket.Dial(t.Context(), scheme+"://hmr.a.localhost/", &websocket.DialOptions{
			HTTPClient: c, HTTPHeader: http.Header{"Origin": {origin}},
		})
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		for _, msg := range []string{"hello", strings.Repeat("x", 20_000), ""} {
			if err := conn.Write(t.Context(), websocket.MessageText, []byte(msg)); err != nil {
				t.Fatalf("%s: %v", scheme, err)
			}
			if _, got, err := conn.Read(t.Context()); err != nil || string(got) != strings.ToUpper(msg) {
				t.Errorf("%s: sent %.20q, read %.20q, %v", scheme, msg, got, err)
			}
		}
		if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("%s: Close = %v", scheme, err)
		}
	}
	w.until("the connections are closed", func() bool { return w.router.Open() == 0 })
}

// The service decides, not we: the Origin of the client and its Host go through.
func TestAServiceCanRefuseAForeignOrigin(t *testing.T) {
	w := newWorld(t)
	w.service("a", "hmr", echo(t))
	_, res, err := websocket.Dial(t.Context(), "ws://hmr.a.localhost/", &websocket.DialOptions{
		HTTPClient: w.client(), HTTPHeader: http.Header{"Origin": {"https://evil.example"}},
	})
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("Dial = %v, %v, want 403 of the service", res, err)
	}
}

func TestAnUpgradeThatTheServiceDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", says("only pages"))
	got := w.raw("GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n")
	if got.StatusCode != 200 || got.body != "only pages" {
		t.Errorf("got %s %q, want 200 of the service", got.Status, got.body)
	}
}

// HTTP and TLS share the port; what is neither is refused and holds up nobody.
func TestOnePortForHTTPAndTLS(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", says("hello"))
	for _, tt := range []struct{ name, send, want string }{
		{"a request of HTTP/1.1", "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 200"},
		{"a request of HTTP/1.0", "GET / HTTP/1.0\r\nHost: a.localhost\r\n\r\n", "HTTP/1.0 200"},
		{"two requests at once", strings.Repeat("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 2), "HTTP/1.1 200"},
		{"a request without a Host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		{"a request with two", "GET / HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\n\r\n", "HTTP/1.1 400"},
		{"a body of two lengths", "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "HTTP/1.1 400"},
		{"no HTTP", "\x00\x01\x02\r\n\r\n", "HTTP/1.1 400"},
		{"a header without an end", "GET / HTTP/1.1\r\nHost: a.localhost\r\nX: " + strings.Repeat("x", maxHeader+5000), "HTTP/1.1 431"},
		{"no TLS, although it begins so", "\x16GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := w.dial()
			go io.WriteString(conn, tt.send)
			line, _ := bufio.NewReader(conn).ReadString('\n')
			if !strings.HasPrefix(line, tt.want) || tt.want == "" && strings.HasPrefix(line, "HTTP/1.1 200") {
				t.Errorf("sent %.40q, got %q, want %q", tt.send, line, tt.want)
			}
		})
	}
}

func TestASilentClientHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", says("hello"))
	for range 20 {
		w.dial()
		fmt.Fprint(w.dial(), "\x16")
		fmt.Fprint(w.dial(), "G")
	}
	for _, url := range []string{"http://a.localhost/", "https://a.localhost/"} {
		if got := w.get(url); got.body != "hello" {
			t.Errorf("GET %s = %q, want hello", url, got.body)
		}
	}
}

func TestTLSIsRefusedForNamesThatAreNotServed(t *testing.T) {
	w := newWorld(t)
	conn := tls.Client(w.dial(), &tls.Config{ServerName: "github.com", RootCAs: w.roots})
	if err := conn.Handshake(); err == nil {
		t.Errorf("a handshake for github.com succeeded with %v", conn.ConnectionState().PeerCertificates[0].DNSNames)
	}
	byAddress := tls.Client(w.dial(), &tls.Config{ServerName: "127.0.0.1", RootCAs: w.roots})
	if err := byAddress.Handshake(); err != nil {
		t.Errorf("a handshake for 127.0.0.1, which sends no name: %v", err)
	}
}

func TestWithoutCertificatesThereIsHTTPAlone(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Certificate = nil })
	w.service("a", "web", says("hello"))
	if err := tls.Client(w.dial(), &tls.Config{ServerName: "a.localhost", RootCAs: w.roots}).Handshake(); err == nil {
		t.Error("a handshake succeeded without a certificate")
	}
	if got := w.get("http://a.localhost/"); got.body != "hello" {
		t.Errorf("GET = %q, want hello", got.body)
	}
}
