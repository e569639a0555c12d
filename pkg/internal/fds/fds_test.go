package fds

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestOpenCountsWhatIsOpen(t *testing.T) {
	before := Open()
	if before < 3 {
		t.Fatalf("Open() = %d, want the three of every program at least", before)
	}
	for range 5 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if got := Open(); got != before+5 {
		t.Errorf("Open() = %d after five more, want %d", got, before+5)
	}
	if limit := Limit(); limit < before+5 {
		t.Errorf("Limit() = %d with %d open", limit, before+5)
	}
}

func TestProblem(t *testing.T) {
	for _, tt := range []struct {
		name        string
		limit, open int
		want        string // in the text; "" for none
	}{
		{"plenty", 65536, 300, ""},
		{"a limit that is not known", 0, 300, ""},
		{"few to begin with", 256, 20, "the limit of file descriptors is 256"},
		{"as many as one should have", 1024, 20, ""},
		{"too many open", 65536, 49152, "49152 of 65536 file descriptors are open"},
		{"just not too many", 65536, 49151, ""},
	} {
		if got := Problem(tt.limit, tt.open); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: Problem(%d, %d) = %q, want %q", tt.name, tt.limit, tt.open, got, tt.want)
		}
	}
}

// Property: whatever the limit is, an upstream is refused before the last
// descriptor is given out, and a client waits before an upstream is refused.
func TestSharesOfTheLimit(t *testing.T) {
	for limit := 16; limit < 1<<20; limit += 1 + limit/7 {
		c, u := clients(limit), upstreams(limit)
		if c <= 0 || u <= c || limit <= u {
			t.Errorf("of %d descriptors, clients have %d and upstreams %d", limit, c, u)
		}
	}
}

// A script is a listener whose Accepts return what it says.
type script struct {
	net.Listener
	errs []error // nil is a connection
}

// Accept implements [net.Listener].
func (s *script) Accept() (net.Conn, error) {
	if len(s.errs) == 0 {
		return nil, net.ErrClosed
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	if err != nil {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	c, _ := net.Pipe()
	return c, nil
}

// Close implements [net.Listener].
func (*script) Close() error { return nil }

func TestAcceptSurvivesWhatPasses(t *testing.T) {
	const full = syscall.EMFILE
	for _, tt := range []struct {
		name        string
		errs        []error
		want        error
		short, over int
		atEnd       time.Duration // that it takes
	}{
		{"a connection", []error{nil}, nil, 0, 0, 0},
		{"no descriptor for a while is told once", []error{full, full, full, nil}, nil, 1, 1, 35 * time.Millisecond},
		{"no memory", []error{syscall.ENOMEM, nil}, nil, 1, 1, 5 * time.Millisecond},
		{"a client that gave up is not worth a word", []error{syscall.ECONNABORTED, nil}, nil, 0, 0, 5 * time.Millisecond},
		{"a listener that is broken", []error{syscall.EBADF}, syscall.EBADF, 0, 0, 0},
		{"a listener that breaks later", []error{full, syscall.EBADF}, syscall.EBADF, 1, 1, 5 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				short, over, start := 0, 0, time.Now()
				ln := Few(&script{errs: tt.errs}, Options{Limit: 100, Short: func(error) { short++ }, Over: func() { over++ }})
				_, err := ln.Accept()
				if !errors.Is(err, tt.want) || short != tt.short || over != tt.over || time.Since(start) != tt.atEnd {
					t.Errorf("Accept = %v after %v, told %d and %d times; want %v after %v, %d and %d",
						err, time.Since(start), short, over, tt.want, tt.atEnd, tt.short, tt.over)
				}
			})
		})
	}
}

func TestAShortageIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short, over := 0, 0
		again := &script{}
		ln := Few(again, Options{Limit: 100, Short: func(error) { short++ }, Over: func() { over++ }})
		for i, want := range []int{1, 1, 1, 2} {
			again.errs = []error{syscall.EMFILE, nil}
			if _, err := ln.Accept(); err != nil || short != want || over != want {
				t.Errorf("shortage %d: Accept = %v, told %d and %d times, want %d", i+1, err, short, over, want)
			}
			time.Sleep(25 * time.Second)
		}
	})
}

func TestCloseEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := Clients(&script{errs: []error{syscall.EMFILE, nil}}, Options{})
		ended := make(chan error)
		go func() { _, err := ln.Accept(); ended <- err }()
		synctest.Wait()
		if err := errors.Join(ln.Close(), ln.Close()); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept = %v, want %v", err, net.ErrClosed)
		}
	})
}

// A client whose descriptor has too high a number waits until others are gone, and
// is served then.
func TestClientsWaitForRoom(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	short, over := make(chan struct{}, 1), make(chan struct{}, 1)
	limit := fill(t, 0).next + 40
	ln := Clients(inner, Options{
		Limit: limit, Short: func(error) { short <- struct{}{} }, Over: func() { over <- struct{}{} },
	})
	defer ln.Close()
	ballast := fill(t, clients(limit))
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			err = c.Close()
		}
		accepted <- err
	}()
	<-short
	select {
	case err := <-accepted:
		t.Fatalf("Accept = %v with descriptors up to %d of %d open", err, ballast.next, limit)
	default:
	}
	ballast.drop()
	if err := <-accepted; err != nil {
		t.Errorf("Accept = %v, want the connection", err)
	}
	<-over
}

func TestControlKeepsTheLastDescriptors(t *testing.T) {
	if err := Control("", "", raw(3)); err != nil {
		t.Errorf("Control(descriptor 3) = %v", err)
	}
	if err := Control("", "", raw(Limit()-1)); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("Control(the last descriptor) = %v, want %v", err, syscall.EMFILE)
	}
}

// raw is a connection of which only the number counts.
type raw uintptr

// Control implements [syscall.RawConn].
func (r raw) Control(f func(uintptr)) error { f(uintptr(r)); return nil }

// Read implements [syscall.RawConn].
func (raw) Read(func(uintptr) bool) error { return errors.ErrUnsupported }

// Write implements [syscall.RawConn].
func (raw) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

// A ballast is files that take the numbers of descriptors.
type ballast struct {
	files []*os.File
	next  int // the number that the next one has at least
}

// fill opens files until the numbers below upto are taken; at least one.
func fill(t *testing.T, upto int) *ballast {
	t.Helper()
	b := new(ballast)
	t.Cleanup(b.drop)
	for b.next <= upto {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		b.files = append(b.files, f)
		b.next = max(b.next, int(f.Fd())+1)
	}
	return b
}

func (b *ballast) drop() {
	for _, f := range b.files {
		f.Close()
	}
	b.files = nil
}
