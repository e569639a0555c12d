package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A page is what an origin or the API answers.
const page = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

func TestAskTheAPI(t *testing.T) {
	answer := func(text string) func(net.Conn) { return func(c net.Conn) { head(c); io.WriteString(c, text) } }
	for _, tt := range []struct {
		name  string
		serve func(net.Conn) // nil: nobody listens
		want  counts
	}{
		{"an answer", answer(page), counts{OK: 1}},
		{"nobody listens", nil, counts{Refused: 1}},
		{"closed before it was asked", func(net.Conn) {}, counts{Reset: 1}},
		{"closed in the middle of the head", answer(page[:17]), counts{Reset: 1}},
		{"closed in the middle of the body", answer(page[:len(page)-1]), counts{Reset: 1}},
		{"a refusal", answer("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), counts{Other: 1}},
		{"no body", answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), counts{Other: 1}},
		{"an answer that is no HTTP", answer("hello\r\n\r\n"), counts{Other: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) { ends(t, socket(listen(t, "unix", tt.serve)), tt.want) })
	}
	t.Run("no socket file", func(t *testing.T) { ends(t, socket(filepath.Join(t.TempDir(), "none")), counts{Refused: 1}) })
}

// ends checks how a question is counted.
func ends(t *testing.T, s socket, want counts) {
	t.Helper()
	var tl tally
	err := s.ask(t.Context())
	tl.add(outcome{err: err}, new(history))
	got := tl.sum()
	got.Example, got.Late, got.P50, got.P99, got.Max = "", 0, 0, 0, 0
	if got != want {
		t.Errorf("ask = %v, counted as %+v, want %+v", err, got, want)
	}
}

func TestAskThroughAProxy(t *testing.T) {
	origin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") }))
	defer origin.Close()
	roots := x509.NewCertPool()
	roots.AddCert(origin.Certificate())
	through := func(c net.Conn) { // to the origin
		if !strings.Contains(head(c), "Proxy-Authorization: Basic bW9hdDp0b2s=\r\n") {
			io.WriteString(c, "HTTP/1.1 407 Who\r\n\r\n")
			return
		}
		up, err := net.Dial("tcp", origin.Listener.Addr().String())
		if err != nil {
			return
		}
		defer up.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go io.Copy(up, c)
		io.Copy(c, up)
	}
	broken := func(c net.Conn) { head(c); io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n") }
	for _, tt := range []struct {
		name, token, answer, want string
		serve                     func(net.Conn)
	}{
		{"the whole way", "tok", "hello\n", "", through},
		{"another token", "other", "hello\n", "407", through},
		{"no token is to be asked for one", "", "", "", through},
		{"no token let pass", "", "", "without a token", broken},
		{"another answer", "tok", "goodbye\n", `answer "hello\n"`, through},
		{"an end in the handshake", "tok", "hello\n", "TLS: ", broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			way := tunnel{
				proxy: listen(t, "tcp", tt.serve), origin: "example.com:443", token: tt.token, roots: roots, want: tt.answer,
			}
			if err := way.ask(t.Context()); tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("ask = %v, want %q", err, tt.want)
			}
		})
	}
	if err := new(tunnel).trust("/dev/null"); err == nil {
		t.Error("trust(a file without a certificate) = nil, want an error")
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	silent := listen(t, "tcp", func(c net.Conn) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	way := tunnel{proxy: silent, origin: "example.com:443"}
	if err := way.ask(ctx); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("ask = %v, want a time-out", err)
	}
}

// head reads a request up to its empty line.
func head(c net.Conn) string {
	var all strings.Builder
	for one := make([]byte, 1); !strings.HasSuffix(all.String(), "\r\n\r\n"); {
		if _, err := c.Read(one); err != nil {
			return fmt.Sprint(all.String(), err)
		}
		all.Write(one)
	}
	return all.String()
}

// listen serves connections one by one until t is over, and returns the address.
// With no serve, nobody listens there any more.
func listen(t *testing.T, network string, serve func(net.Conn)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if serve == nil {
		ln.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
		ln.Close()
		return ln.Addr().String()
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	return ln.Addr().String()
}
