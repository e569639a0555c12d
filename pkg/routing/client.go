package routing

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/moatd/moatd/pkg/internal/drain"
)

// A client is an open connection, of which the first byte may have been read.
type client struct {
	net.Conn
	all   *drain.Set[*client]
	early []byte       // read, but not yet by Read
	stage atomic.Int32 // one of the stages
}

// The stages of a connection. An HTTP/2 one, which net/http takes for active
// until it is closed, is said to be active and idle once before its first request.
const (
	stageNew int32 = iota
	stageFresh
	stageActive
	stageIdle
)

// note is the hook for what becomes of a connection.
func note(conn net.Conn, state http.ConnState) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, ok := conn.(*client)
	if !ok {
		return // not one of Serve's
	}
	before := c.stage.Load()
	switch {
	case state == http.StateActive && before == stageNew:
		c.stage.Store(stageFresh)
	case state == http.StateActive:
		c.stage.Store(stageActive)
	case state == http.StateIdle && before == stageActive:
		c.stage.Store(stageIdle)
	case state == http.StateHijacked:
		c.stage.Store(stageActive)
	}
}

// peek reads the first byte, and keeps it for Read.
func (c *client) peek() (byte, error) {
	var first [1]byte
	if _, err := c.Conn.Read(first[:]); err != nil {
		return 0, err
	}
	c.early = first[:]
	return first[0], nil
}

// Read implements [net.Conn].
func (c *client) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}

// Close implements [net.Conn]. It may be called again.
func (c *client) Close() error {
	err := c.Conn.Close()
	c.all.Remove(c)
	return err
}

// CloseWrite lets net/http end an answer in a way that its client can read,
// although it has not sent the whole of its request.
func (c *client) CloseWrite() error { return drain.CloseWrite(c.Conn) }
