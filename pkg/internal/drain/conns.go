// Package drain knows what is under way, connections above all, and how to wait
// for its end without dropping a client.
//
// From the moment of its Shutdown on, a server of net/http drops what it reads:
// a client that was accepted just before, and whose request is still on its way,
// gets no answer. So a server is drained first: see [Conns.Arrive].
package drain

import (
	"context"
	"errors"
	"net"
	"time"
)

// Conns are the open connections of clients, also those that net/http has
// handed over and forgotten. The zero value has none; it is safe for concurrent
// use.
type Conns struct {
	open      Set[*conn]
	accepting Set[*listener] // whose Accept has not failed: the next connection may be there already
}

// Track returns a listener whose connections are in the set until closed.
func (c *Conns) Track(ln net.Listener) net.Listener { return &listener{ln, c} }

// Len returns how many connections are open.
func (c *Conns) Len() int { return c.open.Len() }

// Wait waits until no connection is open and reports whether that is so before
// ctx ends.
func (c *Conns) Wait(ctx context.Context) bool { return c.open.Wait(ctx) }

// Cut closes the open connections and returns how many there were.
func (c *Conns) Cut() int {
	open := c.open.All()
	for _, conn := range open {
		_ = conn.Close() // it is being cut
	}
	return len(open)
}

// closeIdleEvery is how often Arrive looks for idle connections. net/http
// overlooks those that become idle just now.
const closeIdleEvery = 50 * time.Millisecond

// Arrive lets each connection end with one answer more, until none is open and
// none is about to be, and reports whether that is so before ctx ends. The
// listeners must be closed.
// closeIdle must close the connections that wait for nothing and make each
// other one end with its next answer; it is called again and again.
func (c *Conns) Arrive(ctx context.Context, closeIdle func()) bool {
	for ctx.Err() == nil {
		closeIdle()
		pause, cancel := context.WithTimeout(ctx, closeIdleEvery)
		none := c.accepting.Wait(pause) && c.open.Wait(pause)
		cancel()
		if none {
			return true
		}
	}
	return false
}

type listener struct {
	net.Listener
	conns *Conns
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	l.conns.accepting.Add(l)
	c, err := l.Listener.Accept()
	if err != nil {
		l.conns.accepting.Remove(l)
		return nil, err
	}
	tracked := &conn{c, l.conns}
	l.conns.open.Add(tracked)
	return tracked, nil
}

// A conn leaves its set when it is closed.
type conn struct {
	net.Conn
	conns *Conns
}

// NetConn returns the connection below, as that of [crypto/tls.Conn] does.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close implements [net.Conn].
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.conns.open.Remove(c)
	return err
}

// CloseWrite lets net/http end an answer in a way that its client can read,
// although it has not sent the whole of its request.
func (c *conn) CloseWrite() error { return CloseWrite(c.Conn) }

// CloseWrite ends what c sends, if it can do so without ending what it receives;
// the error is [errors.ErrUnsupported] if it cannot.
func CloseWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
