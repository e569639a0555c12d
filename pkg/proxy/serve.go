package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// Serve serves the proxy on the listeners, which it closes, until ctx ends. It
// then stops accepting, closes idle tunnels, lets the requests in flight end
// for as long as DrainLimit, cuts what is left, and returns nil. It can be
// called once. An error means that a listener failed.
func (p *Proxy) Serve(ctx context.Context, listeners ...net.Listener) error {
	ended := make(chan error, len(listeners)+1)
	serve := func(fn func() error) {
		go func() { ended <- fn() }()
	}
	serve(p.tunnels.Serve)
	for _, ln := range listeners {
		serve(func() error { return p.plain.Serve(p.conns.track(ln)) })
	}
	var failed error
	n := len(listeners) + 1
	select {
	case <-ctx.Done():
	case failed = <-ended:
		n--
	}
	p.drain(context.WithoutCancel(ctx))
	for range n {
		failed = errors.Join(failed, closed(<-ended))
	}
	return closed(failed)
}

// closed returns err, and nil for what a server returns when it is shut down.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drain ends the servers. The tunnels' is shut down after the one that feeds
// it: a client that was accepted is served, whatever it is about to send.
func (p *Proxy) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.DrainLimit)
	defer cancel()
	p.tunnels.CloseIdle()
	_ = p.plain.Shutdown(ctx)   // an error means that the limit is reached;
	_ = p.tunnels.Shutdown(ctx) // what is left then is cut and counted below
	if p.conns.wait(ctx) {
		return
	}
	p.opts.Log.WithField("cut", p.conns.closeAll()).Warn("drain limit reached: connections cut")
	_ = p.plain.Close() // their connections are closed, so this cannot fail in a way that matters
}

// Open returns how many connections of clients are open.
func (p *Proxy) Open() int { return p.conns.len() }

// A connSet knows the connections that are open, also those that net/http has
// handed over and forgotten. The zero value is empty.
type connSet struct {
	mu    sync.Mutex
	conns map[*trackedConn]struct{} // guarded by mu
	empty chan struct{}             // guarded by mu; closed when the last is gone, nil unless awaited
}

// track returns a listener whose connections are in the set until closed.
func (s *connSet) track(ln net.Listener) net.Listener { return trackedListener{ln, s} }

type trackedListener struct {
	net.Listener
	set *connSet
}

// Accept implements [net.Listener].
func (l trackedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.set.add(c), nil
}

type trackedConn struct {
	net.Conn
	set *connSet
}

// Close implements [net.Conn].
func (c *trackedConn) Close() error {
	c.set.remove(c)
	return c.Conn.Close()
}

func (s *connSet) add(c net.Conn) *trackedConn {
	t := &trackedConn{c, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = make(map[*trackedConn]struct{})
	}
	s.conns[t] = struct{}{}
	return t
}

func (s *connSet) remove(c *trackedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

func (s *connSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// wait waits until the set is empty and reports whether it is before ctx ends.
// One caller may wait at a time.
func (s *connSet) wait(ctx context.Context) bool {
	s.mu.Lock()
	if len(s.conns) == 0 {
		s.mu.Unlock()
		return true
	}
	empty := make(chan struct{})
	s.empty = empty
	s.mu.Unlock()
	select {
	case <-empty:
		return true
	case <-ctx.Done():
		return s.len() == 0
	}
}

// closeAll closes the connections and returns how many there were.
func (s *connSet) closeAll() int {
	s.mu.Lock()
	open := make([]net.Conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c.Conn)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // it is being cut
	}
	return len(open)
}
