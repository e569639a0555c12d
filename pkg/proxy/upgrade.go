package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/moatd/moatd/pkg/internal/drain"
)

// duplex prepares w for an answer that begins while the request is still on
// its way, and for one that turns the connection into something else. HTTP/2
// has the first by itself, and not the second.
func duplex(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.ProtoMajor != 1 {
		return w
	}
	_ = http.NewResponseController(w).EnableFullDuplex() // not supported only by a w of tests
	return upgradable{w}
}

// upgradable is a writer whose connection, once it is taken over, begins with
// what the client sent ahead. ReverseProxy itself forgets that.
type upgradable struct{ http.ResponseWriter }

// Unwrap is for [http.ResponseController].
func (u upgradable) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// Hijack implements [http.Hijacker].
func (u upgradable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := io.LimitReader(rw.Reader, int64(rw.Reader.Buffered()))
	return &earlyConn{conn, io.MultiReader(early, conn)}, rw, nil
}

// earlyConn is a connection of which a part was read already.
type earlyConn struct {
	net.Conn
	in io.Reader
}

// Read implements [net.Conn].
func (c *earlyConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// CloseWrite passes on that the upstream has nothing more to say.
func (c *earlyConn) CloseWrite() error { return drain.CloseWrite(c.Conn) }

// withoutHTTP takes the wish out of a header to go on in HTTP/2 or in TLS on the
// same connection (RFC 7540, section 3.2; RFC 2817): what an upstream would then
// be asked for would pass no rule. A server need not grant it, and here none can.
func withoutHTTP(h http.Header) {
	for protocol := range strings.SplitSeq(h.Get("Upgrade"), ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(protocol), "/")
		switch strings.ToLower(name) {
		case "h2c", "h2", "http", "tls":
			h.Del("Upgrade")
			h.Del("Connection")
			return
		}
	}
}
