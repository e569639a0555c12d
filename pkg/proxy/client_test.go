package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// client returns a client of the proxy for the run with the token "tok"; it speaks HTTP/1.1 in its tunnels.
func (w *world) client() *http.Client { return w.clientOf(false) }

// clientH2 speaks HTTP/2 in its tunnels.
func (w *world) clientH2() *http.Client { return w.clientOf(true) }

func (w *world) clientOf(h2 bool) *http.Client { return w.clientFor("tok", h2) }

// clientFor is a client for the run with the token.
func (w *world) clientFor(token string, h2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:              http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr, User: url.UserPassword("moat", token)}),
		TLSClientConfig:    &tls.Config{RootCAs: poolOf(authorities().ours)},
		ForceAttemptHTTP2:  h2,
		DisableCompression: true,
	}
	w.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * patience}
}

// get returns the answer to a GET with its body read.
func get(tb testing.TB, c *http.Client, url string, header ...string) answer {
	tb.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return do(tb, c, req)
}

func do(tb testing.TB, c *http.Client, req *http.Request) answer {
	tb.Helper()
	res, err := c.Do(req)
	if err != nil {
		tb.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return read(tb, res)
}

// An answer is a response and its body.
type answer struct {
	*http.Response
	text string
}

func read(tb testing.TB, res *http.Response) answer {
	tb.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("read the body of %s: %v", res.Status, err)
	}
	return answer{res, string(body)}
}

// want fails the test unless the status and a part of the body are these.
func (a answer) want(tb testing.TB, status int, part string) {
	tb.Helper()
	if a.StatusCode != status || !strings.Contains(a.text, part) {
		tb.Errorf("answer = %s %q, want %d and %q in it", a.Status, a.text, status, part)
	}
}

// A wire is a connection of a client that writes what it likes.
type wire struct {
	testing.TB
	net.Conn
	in *bufio.Reader
}

// dial connects to the proxy.
func (w *world) dial() *wire {
	w.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	return w.wire(conn)
}

func (w *world) wire(conn net.Conn) *wire {
	_ = conn.SetDeadline(time.Now().Add(patience))
	w.Cleanup(func() { _ = conn.Close() })
	return &wire{w, conn, bufio.NewReader(conn)}
}

// tunnel opens a tunnel to target and speaks TLS in it.
func (w *world) tunnel(target string, cfg *tls.Config) *wire {
	w.Helper()
	return w.within(w.dial(), target, cfg)
}

// within opens a tunnel on a connection to the proxy.
func (w *world) within(c *wire, target string, cfg *tls.Config) *wire {
	w.Helper()
	c.send("CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: %s\r\n\r\n", target, target, basic)
	if res := c.response("CONNECT"); res.StatusCode != http.StatusOK {
		w.Fatalf("CONNECT %s: %s", target, res.Status)
	}
	cfg = cfg.Clone()
	cfg.RootCAs = poolOf(authorities().ours)
	secure := tls.Client(c.Conn, cfg)
	if err := secure.Handshake(); err != nil {
		w.Fatalf("handshake with %s in a tunnel to %s: %v", cfg.ServerName, target, err)
	}
	return &wire{w, secure, bufio.NewReader(secure)}
}

// basic is the Proxy-Authorization of the run with the token "tok".
const basic = "Basic bW9hdDp0b2s=" // moat:tok

func (c *wire) send(format string, args ...any) {
	c.Helper()
	if _, err := fmt.Fprintf(c.Conn, format, args...); err != nil {
		c.Fatalf("send %.40q: %v", format, err)
	}
}

// response reads the head of the response to a request with the method.
func (c *wire) response(method string) *http.Response {
	c.Helper()
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.Fatalf("read the response to a %s: %v", method, err)
	}
	return res
}

// ask sends a request and returns the answer.
func (c *wire) ask(format string, args ...any) answer {
	c.Helper()
	c.send(format, args...)
	method, _, _ := strings.Cut(format, " ")
	return read(c, c.response(method))
}

// ended fails the test unless the proxy has ended the connection.
func (c *wire) ended() {
	c.Helper()
	_, err := io.Copy(io.Discard, c.in)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		c.Errorf("the connection is still open")
	}
}
