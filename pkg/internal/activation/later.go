package activation

import (
	"context"
	"net"
	"sync"
	"time"
)

// The pause between two attempts of a Later to bind.
const (
	firstBind = time.Second
	lastBind  = 15 * time.Second
)

// A Later is a listener on an address that another program may have now: its
// Accept tries to bind it, again and again, and serves it from then on. It is
// safe for concurrent use.
type Later struct {
	bind  func(context.Context) (net.Listener, error)
	bound func()
	done  chan struct{} // closed by Close
	once  sync.Once

	mu sync.Mutex
	ln net.Listener // guarded by mu; nil until it is bound
}

// ListenLater returns a listener that is bound by bind as soon as that succeeds,
// while somebody waits in Accept. Then bound is called, once.
func ListenLater(bind func(context.Context) (net.Listener, error), bound func()) *Later {
	return &Later{bind: bind, bound: bound, done: make(chan struct{})}
}

// Bound returns the listener that has taken the place of l, nil as long as there
// is none.
func (l *Later) Bound() net.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ln
}

// Accept implements [net.Listener].
func (l *Later) Accept() (net.Conn, error) {
	for pause := firstBind; ; pause = min(2*pause, lastBind) {
		if ln := l.Bound(); ln != nil {
			return ln.Accept()
		}
		select {
		case <-time.After(pause):
		case <-l.done:
			return nil, net.ErrClosed
		}
		l.try()
	}
}

// try binds once. What is in the way has been told by who made l.
func (l *Later) try() {
	ln, err := l.bind(context.Background())
	if err != nil || !l.take(ln) {
		return
	}
	l.bound()
	select {
	case <-l.done: // Close came before take
		_ = ln.Close() // nobody has been accepted
	default:
	}
}

// take makes ln the listener, unless another Accept was faster.
func (l *Later) take(ln net.Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln != nil {
		_ = ln.Close() // cannot be: the address is taken, by us
		return false
	}
	l.ln = ln
	return true
}

// Close implements [net.Listener].
func (l *Later) Close() error {
	l.once.Do(func() { close(l.done) })
	if ln := l.Bound(); ln != nil {
		return ln.Close()
	}
	return nil
}

// Addr implements [net.Listener]; there is none until it is bound.
func (l *Later) Addr() net.Addr {
	if ln := l.Bound(); ln != nil {
		return ln.Addr()
	}
	return &net.TCPAddr{}
}
