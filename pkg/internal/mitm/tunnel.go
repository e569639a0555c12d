package mitm

import (
	"context"
	"crypto/tls"
	"io"
	"net"

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
	if outer, ok := c.(*tls.Conn); ok {
		if inner, ok := outer.NetConn().(*tunnelConn); ok {
			return context.WithValue(ctx, tunnelKey{}, inner.tunnel)
		}
	}
	return ctx
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
