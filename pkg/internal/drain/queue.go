package drain

import (
	"net"
	"sync"
)

// A Queue is a listener that accepts the connections that are put into it. It is
// safe for concurrent use.
type Queue struct {
	name  string
	conns chan net.Conn
	done  chan struct{} // closed by Close
	once  sync.Once
}

// NewQueue returns a queue; its name stands for an address, which it has not.
func NewQueue(name string) *Queue {
	return &Queue{name: name, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Put waits until c is accepted, and closes it if the queue is closed first.
func (q *Queue) Put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		_ = c.Close() // too late for it; the client sees the end of the connection
	}
}

// Accept implements [net.Listener].
func (q *Queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *Queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Closed reports whether the queue takes no more connections.
func (q *Queue) Closed() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// Addr implements [net.Listener]; there is no address.
func (q *Queue) Addr() net.Addr { return &net.UnixAddr{Name: q.name} }
