package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/moatd/moatd/pkg/internal/pki"
)

// counted counts the requests that go out.
type counted struct {
	http.RoundTripper
	n *atomic.Int64
}

// RoundTrip implements [http.RoundTripper].
func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// serve answers for one origin, with the path that it read, and records.
func (a *arena) serve(scheme, name string, port int) {
	a.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.Fatal(err)
	}
	url := fmt.Sprintf("%s://%s:%d", scheme, name, port)
	buf := new(bytes.Buffer)
	a.got[url] = buf
	rl := recordingListener{Listener: a.origins.Track(ln), arena: a, buf: buf}
	if scheme == "https" {
		cert, err := pki.NewLeaves(authorities().theirs).Get(name)
		if err != nil {
			a.Fatal(err)
		}
		rl.tls = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	srv := &http.Server{ErrorLog: connectionLog(quiet()), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Read", r.RequestURI)
	})}
	go func() { _ = srv.Serve(rl) }() // ends with Close
	a.Cleanup(func() { _ = srv.Close() })
	a.place(name, port, ln.Addr().String())
}

// recordingListener accepts connections that record what is read from them,
// once it is out of TLS.
type recordingListener struct {
	net.Listener
	arena *arena
	buf   *bytes.Buffer
	tls   *tls.Config // nil means none
}

// Accept implements [net.Listener].
func (l recordingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil && l.tls != nil {
		conn = tls.Server(conn, l.tls)
	}
	return recorded{conn, l.arena, l.buf}, err
}

type recorded struct {
	net.Conn
	arena *arena
	buf   *bytes.Buffer
}

// Read implements [net.Conn].
func (c recorded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.arena.mu.Lock()
	defer c.arena.mu.Unlock()
	c.buf.Write(p[:n])
	return n, err
}

// take returns what the origins have read since the last take.
func (a *arena) take() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := map[string]string{}
	for url, buf := range a.got {
		if buf.Len() > 0 {
			got[url] = buf.String()
			buf.Reset()
		}
	}
	return got
}
