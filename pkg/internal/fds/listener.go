package fds

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The pause before it is looked whether there are descriptors again.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
	// spell is the time within which further shortages are the same: with many
	// clients that come and go, there is another at every moment.
	spell = time.Minute
)

// Options say what a listener does when descriptors run short.
type Options struct {
	// Limit is that of the process, as of [Limit]; 0 means that it is not known.
	Limit int
	// Short is told when connections begin to wait, and Over when they are accepted
	// again, both once a minute at most; each may be nil.
	Short func(error)
	Over  func()
}

// Clients returns a listener for the many: it leaves connections in the kernel's
// queue while less than a quarter of the descriptors is left.
func Clients(ln net.Listener, opts Options) net.Listener {
	return newListener(ln, opts, clients(opts.Limit))
}

// Few returns a listener for the few, who may have the last descriptor.
func Few(ln net.Listener, opts Options) net.Listener { return newListener(ln, opts, opts.Limit) }

func newListener(ln net.Listener, opts Options, below int) net.Listener {
	return &listener{Listener: ln, opts: opts, below: below, done: make(chan struct{})}
}

// A listener accepts again after an error that passes.
type listener struct {
	net.Listener
	opts  Options
	below int       // accepted descriptors have to have a lower number; 0: any
	told  time.Time // when a shortage was told
	once  sync.Once
	done  chan struct{} // closed by Close
}

// Accept implements [net.Listener]. It is for one goroutine.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	for pause := firstPause; passes(err); pause = min(2*pause, lastPause) {
		if pause == firstPause && !errors.Is(err, syscall.ECONNABORTED) {
			defer l.short(err)()
		}
		if !l.wait(pause) {
			return nil, net.ErrClosed
		}
		conn, err = l.Listener.Accept()
	}
	if err != nil || l.below == 0 || number(conn) < l.below {
		return conn, err
	}
	defer l.short(fmt.Errorf("descriptor %d of %d", number(conn), l.opts.Limit))()
	for pause := firstPause; !room(conn, l.below-l.below/8); pause = min(2*pause, lastPause) {
		if !l.wait(pause) {
			break // it was accepted, and the daemon that ends serves it
		}
	}
	return conn, nil
}

// wait reports false if the listener was closed meanwhile.
func (l *listener) wait(pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-l.done:
		return false
	}
}

// short tells of a shortage; what it returns tells of its end.
func (l *listener) short(err error) (over func()) {
	if !l.told.IsZero() && time.Since(l.told) < spell {
		return func() {}
	}
	l.told = time.Now()
	if l.opts.Short != nil {
		l.opts.Short(err)
	}
	return func() {
		if l.opts.Over != nil {
			l.opts.Over()
		}
	}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// Control refuses an upstream a descriptor of the last; it is for the field of a
// [net.Dialer]. The error is EMFILE, as if there were none.
func Control(_, _ string, conn syscall.RawConn) error {
	limit, inner := Limit(), error(nil)
	err := conn.Control(func(fd uintptr) {
		if limit > 0 && int(fd) >= upstreams(limit) {
			inner = syscall.EMFILE
		}
	})
	return errors.Join(err, inner)
}

// passes reports whether Accept may succeed again: the process or the machine is
// short of something, or a client gave up early.
func passes(err error) bool {
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// number returns that of a connection's descriptor, 0 if it has none.
func number(conn net.Conn) int {
	n := 0
	look(conn, func(fd int) { n = fd })
	return n
}

// room reports whether a descriptor with a lower number is free; with a copy of
// that of conn, since a sandbox may allow no file to be opened. Where that cannot
// be told there is.
func room(conn net.Conn, below int) bool {
	free := true
	look(conn, func(fd int) {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		free = n < below && !passes(err)
		if err == nil {
			_ = unix.Close(n) // it was only for its number
		}
	})
	return free
}

// look shows the descriptor of a connection, if it has one.
func look(conn net.Conn, show func(fd int)) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { show(int(fd)) }) // an error means that it is closed
}
