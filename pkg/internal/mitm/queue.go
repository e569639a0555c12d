package mitm

import (
	"net"
	"sync"
)

// queue is a listener that accepts what is put into it.
type queue struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
	once  sync.Once
}

func (q *queue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		_ = c.Close() // too late for it; the client sees the end of the connection
	}
}

// Accept implements [net.Listener].
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements [net.Listener]; there is no address.
func (q *queue) Addr() net.Addr { return &net.UnixAddr{Name: "tunnels"} }
