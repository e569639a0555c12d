package routing

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// clients are the open connections, also those that net/http has handed over
// and forgotten. The zero value has none.
type clients struct {
	alive tally
	mu    sync.Mutex
	open  map[*client]struct{} // guarded by mu
}

// A client is an open connection, of which the first byte may have been read.
type client struct {
	net.Conn
	all   *clients
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

// add makes conn one of the clients until it is closed.
func (cs *clients) add(conn net.Conn) *client {
	c := &client{Conn: conn, all: cs}
	cs.alive.add()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[*client]struct{})
	}
	cs.open[c] = struct{}{}
	return c
}

// remove takes c out; it may be out already.
func (cs *clients) remove(c *client) {
	cs.mu.Lock()
	_, open := cs.open[c]
	delete(cs.open, c)
	cs.mu.Unlock()
	if open {
		cs.alive.done()
	}
}

// close closes the clients of this moment that which is true of, and returns how
// many there are.
func (cs *clients) close(which func(*client) bool) (n int) {
	cs.mu.Lock()
	var chosen []*client
	for c := range cs.open {
		if which(c) {
			chosen = append(chosen, c)
		}
	}
	cs.mu.Unlock()
	for _, c := range chosen {
		_ = c.Close() // it is being cut
	}
	return len(chosen)
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
	c.all.remove(c)
	return err
}

// CloseWrite ends what is sent, so that net/http can end an answer in a way that
// its client can read, although it has not sent the whole of its request.
func (c *client) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
