package framing

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// A Conn is a connection for an HTTP/1 server whose requests are looked at as
// they are read. The server must have [Context] as its ConnContext and [Count]
// around its handler.
type Conn struct {
	net.Conn
	scanner scanner // belongs to who reads, of whom net/http has one at a time
	served  int64   // requests that the handler got; belongs to it
	fault   atomic.Pointer[fault]
}

// A fault is what is wrong with a request; what comes after cannot be told apart
// from it.
type fault struct {
	request int64 // counted from 1
	err     error
}

// NewConn returns a Conn that reads from c.
func NewConn(c net.Conn) *Conn { return &Conn{Conn: c} }

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.fault.Load() == nil {
		if wrong := c.scanner.scan(p[:n]); wrong != nil {
			c.fault.Store(&fault{c.scanner.heads, wrong})
		}
	}
	return n, err
}

// CloseWrite implements what net/http and tunnels look for in a connection.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// A Listener accepts each connection as a [Conn].
type Listener struct{ net.Listener }

// Accept implements [net.Listener].
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return NewConn(c), nil
}

type connKey struct{}

// Context is a ConnContext for an [http.Server].
func Context(ctx context.Context, c net.Conn) context.Context {
	if own, ok := c.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// Count returns a handler that counts the requests of a connection before next
// gets them. Bytes that follow a request may be no request, as after an upgrade:
// what is wrong with them must not be held against it.
func Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := of(r.Context()); c != nil {
			c.served++
		}
		next.ServeHTTP(w, r)
	})
}

func of(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn) // nil for what came over no Conn
	return c
}

// Check says what is wrong with the request with this context, nil if nothing is
// or if it came over no [Conn]. While its body is read, more may come to light.
// The connection is good for nothing after an error.
func Check(ctx context.Context) error {
	c := of(ctx)
	if c == nil {
		return nil
	}
	if f := c.fault.Load(); f != nil && f.request <= c.served {
		return f.err
	}
	return nil
}
