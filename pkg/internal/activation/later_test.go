package activation

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are those of net.Pipe.
type pipes struct{ conns, closed chan struct{} }

// Accept implements [net.Listener].
func (p pipes) Accept() (net.Conn, error) {
	select {
	case <-p.conns:
		c, _ := net.Pipe()
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p pipes) Close() error { close(p.closed); return nil }

// Addr implements [net.Listener].
func (pipes) Addr() net.Addr { return &net.TCPAddr{Port: 7} }

func TestLaterBindsAsSoonAsItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, tries, told := time.Now(), 0, 0
		real := pipes{make(chan struct{}), make(chan struct{})}
		l := ListenLater(func(context.Context) (net.Listener, error) {
			if tries++; time.Since(begin) < time.Minute {
				return nil, ErrInUse
			}
			return real, nil
		}, func() { told++ })
		if l.Bound() != nil || l.Addr().String() != ":0" {
			t.Errorf("before: bound to %v at %v, want to nothing", l.Bound(), l.Addr())
		}
		accepted := make(chan error)
		go func() { _, err := l.Accept(); accepted <- err }()
		real.conns <- struct{}{}
		if err := <-accepted; err != nil {
			t.Errorf("Accept = %v, want a connection", err)
		}
		if took := time.Since(begin); took < time.Minute || took > time.Minute+lastBind || tries > 10 {
			t.Errorf("bound after %v and %d attempts, want soon after a minute, and few", took, tries)
		}
		if told != 1 || l.Bound() != real || l.Addr().String() != ":7" {
			t.Errorf("told %d times, bound to %v at %v; want once, to what bind returned", told, l.Bound(), l.Addr())
		}
		go func() { _, err := l.Accept(); accepted <- err }()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close = %v, want %v", err, net.ErrClosed)
		}
	})
}

func TestLaterThatIsClosedBindsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ListenLater(func(context.Context) (net.Listener, error) { return nil, ErrInUse }, func() { t.Error("it was bound") })
		accepted := make(chan error)
		go func() { _, err := l.Accept(); accepted <- err }()
		time.Sleep(time.Hour)
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept = %v, want %v", err, net.ErrClosed)
		}
	})
}

func TestLaterThatIsClosedWhileItBinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, goOn := pipes{make(chan struct{}), make(chan struct{})}, make(chan struct{})
		l := ListenLater(func(context.Context) (net.Listener, error) { <-goOn; return real, nil }, func() {})
		accepted := make(chan error)
		go func() { _, err := l.Accept(); accepted <- err }()
		time.Sleep(2 * firstBind)
		if err := l.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		close(goOn)
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept = %v, want %v", err, net.ErrClosed)
		}
	})
}
