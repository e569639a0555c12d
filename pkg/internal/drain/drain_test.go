package drain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// serve starts a server on a tracked listener and returns where it listens.
func serve(t *testing.T, c *Conns, h http.HandlerFunc) (srv *http.Server, ln net.Listener) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv = &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() { srv.Serve(c.Track(ln)); close(ended) }()
	t.Cleanup(func() { srv.Close(); <-ended })
	return srv, ln
}

// dial opens a connection and returns once the server has accepted it.
func dial(t *testing.T, c *Conns, ln net.Listener) net.Conn {
	t.Helper()
	before := c.Len()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for c.Len() == before {
		select {
		case <-t.Context().Done():
			t.Fatal("the connection was not accepted")
		default:
		}
	}
	return conn
}

func ask(t *testing.T, conn net.Conn) (*http.Response, error) {
	t.Helper()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

func TestAClientThatWasAcceptedIsServed(t *testing.T) {
	var c Conns
	srv, ln := serve(t, &c, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	quiet, idle := dial(t, &c, ln), dial(t, &c, ln)
	if res, err := ask(t, idle); err != nil || res.Close {
		t.Fatalf("before: %v, %v, want an answer on a connection that stays", res, err)
	}

	ln.Close()
	rounds, done := make(chan struct{}), make(chan bool)
	go func() {
		done <- c.Arrive(t.Context(), func() {
			srv.SetKeepAlivesEnabled(false)
			select {
			case rounds <- struct{}{}:
			default:
			}
		})
	}()
	<-rounds
	if n, err := idle.Read(make([]byte, 1)); n != 0 && !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection: read %d bytes, %v, want its end", n, err)
	}
	res, err := ask(t, quiet)
	if err != nil || res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("a client whose request came late got %v, %v, want 200 and the end of the connection", res, err)
	}
	if !<-done {
		t.Error("Arrive = false, want true once no connection is open")
	}
}

// slowListener has a connection that the kernel gave out just before Close, and
// whose Accept returns after it.
type slowListener struct {
	net.Listener
	goOn chan net.Conn
}

// Accept implements [net.Listener].
func (s slowListener) Accept() (net.Conn, error) {
	if c, ok := <-s.goOn; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func TestAClientWhoseAcceptIsUnderWayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Conns
		inner := slowListener{goOn: make(chan net.Conn)}
		ln := c.Track(inner)
		accepted := make(chan net.Conn)
		go func() {
			defer close(accepted)
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				accepted <- conn
			}
		}()
		synctest.Wait()
		arrived := make(chan bool, 1)
		var idle atomic.Int32
		go func() { arrived <- c.Arrive(t.Context(), func() { idle.Add(1) }) }()
		time.Sleep(time.Second)
		if n := idle.Load(); len(arrived) > 0 || n < 10 {
			t.Errorf("Arrive has returned while an Accept is under way, or closed what is idle %d times in a second, want some twenty", n)
		}
		server, _ := net.Pipe()
		inner.goOn <- server
		conn := <-accepted
		close(inner.goOn)
		time.Sleep(time.Second)
		if len(arrived) > 0 {
			t.Error("Arrive has returned with a connection open")
		}
		conn.Close()
		if !<-arrived {
			t.Error("Arrive = false, want true once no connection is open")
		}
	})
}

func TestWhatDoesNotEndIsCut(t *testing.T) {
	var c Conns
	_, ln := serve(t, &c, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	conns := []net.Conn{dial(t, &c, ln), dial(t, &c, ln)}
	ln.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if c.Arrive(ended, func() {}) || c.Wait(ended) {
		t.Error("Arrive and Wait with a context that has ended report that no connection is open, and two are")
	}
	if n := c.Cut(); n != len(conns) {
		t.Errorf("Cut = %d, want %d", n, len(conns))
	}
	if !c.Wait(t.Context()) || c.Len() != 0 {
		t.Errorf("after Cut %d connections are open, want none", c.Len())
	}
	for _, conn := range conns {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("a connection that was cut is still there")
		}
	}
}

func TestWaitUntilTheSetIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set[int]
		if !s.Wait(t.Context()) {
			t.Error("Wait on an empty set = false, want true at once")
		}
		s.Add(1)
		s.Add(1)
		s.Add(2)
		go func() {
			time.Sleep(time.Minute)
			s.Remove(1)
			s.Remove(3) // it is not there
			time.Sleep(time.Minute)
			s.Remove(2)
		}()
		soon, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if s.Wait(soon) {
			t.Errorf("Wait = true after %v with %d members, want false", 90*time.Second, s.Len())
		}
		if start := time.Now(); !s.Wait(t.Context()) || time.Since(start) != 30*time.Second {
			t.Errorf("Wait took %v, want the 30s that were left", time.Since(start))
		}
		if n := len(s.All()); n != 0 {
			t.Errorf("All has %d members, want none", n)
		}
	})
}

func TestStartEndsAllLoopsWithTheFirst(t *testing.T) {
	boom := errors.New("boom")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	wait := Start(ctx, end,
		func() error { return boom },
		func() error { <-ctx.Done(); return errors.New("came of the end") },
	)
	<-ctx.Done() // the first loop has ended it
	if err := wait(); !errors.Is(err, boom) || err.Error() != "boom" {
		t.Errorf("the loops ended with %v, want %v alone", err, boom)
	}
}

func TestCloseWriteNeedsAConnectionThatCan(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := CloseWrite(&conn{a, new(Conns)}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite of a pipe = %v, want %v", err, errors.ErrUnsupported)
	}
}

func BenchmarkSet(b *testing.B) {
	var s Set[int]
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			s.Add(i)
			s.Remove(i)
		}
	})
}
