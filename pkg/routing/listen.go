package routing

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// tlsRecord is the first byte of a TLS handshake, RFC 8446 section 5.1. No HTTP
// request begins with it.
const tlsRecord = 0x16

// accept takes connections from ln until it is closed or fails for good. What
// a connection speaks is found out beside it: a silent client holds up nobody.
func (rt *Router) accept(ln net.Listener) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		c, a := &client{Conn: conn, all: &rt.clients}, new(activity)
		rt.clients.Add(c)
		rt.running.Add(a)
		go func() {
			defer rt.running.Remove(a)
			rt.sort(c)
		}()
	}
}

// sort queues a connection as one of TLS or of HTTP, once it has spoken.
func (rt *Router) sort(c *client) {
	first, err := c.first(time.Now().Add(helloTimeout))
	switch {
	case err != nil || first == tlsRecord && rt.tls == nil:
		_ = c.Close() // it said nothing, or nothing that we understand
	case first == tlsRecord:
		rt.queue.Put(tls.Server(c, rt.tls))
	default:
		rt.queue.Put(c)
	}
}

// first returns the first byte of a connection that it sends before deadline.
func (c *client) first(deadline time.Time) (byte, error) {
	if err := c.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	first, err := c.peek()
	return first, errors.Join(err, c.SetReadDeadline(time.Time{}))
}
