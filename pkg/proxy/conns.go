package proxy

import "net"

// conns are the connections of clients, also those that net/http has handed
// over and forgotten. The zero value has none.
type conns struct{ open set[*trackedConn] }

// track returns a listener whose connections are in the set until closed.
func (c *conns) track(ln net.Listener) net.Listener { return trackedListener{ln, c} }

// cut closes the open connections and returns how many there were.
func (c *conns) cut() int {
	open := c.open.all()
	for _, conn := range open {
		_ = conn.Close() // it is being cut
	}
	return len(open)
}

type trackedListener struct {
	net.Listener
	conns *conns
}

// Accept implements [net.Listener].
func (l trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tracked := &trackedConn{conn, l.conns}
	l.conns.open.add(tracked)
	return tracked, nil
}

// A trackedConn leaves its set when it is closed.
type trackedConn struct {
	net.Conn
	conns *conns
}

// Close implements [net.Conn].
func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.conns.open.remove(c)
	return err
}

// CloseWrite lets net/http end an answer in a way that its client can read,
// although it has not sent the whole of its request.
func (c *trackedConn) CloseWrite() error { return closeWrite(c.Conn) }
