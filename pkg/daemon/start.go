package daemon

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/moatd/moatd/pkg/internal/activation"
)

// ownListener is the listener of a server that was made by [NewServer].
type ownListener struct {
	path   string
	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu; nil unless it serves
	ended  chan error         // guarded by mu; nil before Start
}

// NewServer returns a server that will listen on the Unix socket at sockPath
// and report proxyPort as the proxy's. [New] and [Server.Serve] do the same for
// a listener of the caller's.
func NewServer(sockPath string, proxyPort int) *Server {
	s := New(Options{})
	s.own.path = sockPath
	s.SetProxyPort(proxyPort)
	return s
}

// Start listens and serves in the background until Stop. It refuses a socket
// that a live daemon has. A server starts once.
func (s *Server) Start() error {
	s.own.mu.Lock()
	defer s.own.mu.Unlock()
	if s.own.ended != nil {
		return errors.New("the server was started before; make another one")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := activation.ListenUnix(ctx, s.own.path)
	if err != nil {
		cancel()
		return err
	}
	s.own.cancel, s.own.ended = cancel, make(chan error, 1)
	go func(ln net.Listener, ended chan<- error) { ended <- s.Serve(ctx, ln) }(ln, s.own.ended)
	return nil
}

// Stop ends what Start began and waits for the requests in flight, until ctx
// ends. Without a Start it does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.own.mu.Lock()
	defer s.own.mu.Unlock()
	if s.own.cancel == nil {
		return nil
	}
	s.own.cancel()
	s.own.cancel = nil
	select {
	case err := <-s.own.ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
