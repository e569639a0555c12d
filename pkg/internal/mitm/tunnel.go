package mitm

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/framing"
	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A Tunnel is what one CONNECT request said.
type Tunnel struct {
	Target hosts.Host // where the client asked to go, with a port
	Token  string     // the token that it showed
}

type tunnelKey struct{}

// From returns the tunnel that the request with this context came through, and
// nil if it came through none.
func From(ctx context.Context) *Tunnel {
	t, _ := ctx.Value(tunnelKey{}).(*Tunnel) // absent is nil
	return t
}

func withTunnel(ctx context.Context, c net.Conn) context.Context {
	if looked, ok := c.(*framing.Conn); ok {
		ctx, c = framing.Context(ctx, looked), looked.Conn
	}
	outer, ok := c.(*tls.Conn)
	if !ok {
		return ctx
	}
	if state := outer.ConnectionState(); state.HandshakeComplete {
		ctx = context.WithValue(ctx, stateKey{}, &state)
	}
	if inner, ok := outer.NetConn().(*tunnelConn); ok {
		ctx = context.WithValue(ctx, tunnelKey{}, inner.tunnel)
	}
	return ctx
}

type stateKey struct{}

// withTLS returns a handler whose requests tell of their TLS, as net/http does it
// only for a connection that is a *tls.Conn itself.
func withTLS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			r.TLS, _ = r.Context().Value(stateKey{}).(*tls.ConnectionState) // a tunnel always has it
		}
		next.ServeHTTP(w, r)
	})
}

// leafName returns the name that the client will look for in the certificate:
// what it asked for in SNI, or where there is none, the target of its CONNECT.
// Whether the two agree is decided with the request, which can be answered.
func leafName(hello *tls.ClientHelloInfo) string {
	if h, err := hosts.Parse(hello.ServerName); err == nil && h.Port == 0 {
		return h.Name
	}
	if c, ok := hello.Conn.(*tunnelConn); ok {
		return c.tunnel.Target.Name
	}
	return ""
}

// tunnelConn is the connection below the TLS of a tunnel.
type tunnelConn struct {
	net.Conn
	tunnel *Tunnel
	early  io.Reader // read before Conn, nil once it is empty
}

func (c *tunnelConn) Read(p []byte) (int, error) {
	if c.early == nil {
		return c.Conn.Read(p)
	}
	n, err := c.early.Read(p)
	if err != nil {
		c.early = nil
		err = nil
	}
	if n == 0 && len(p) > 0 {
		return c.Conn.Read(p)
	}
	return n, err
}
