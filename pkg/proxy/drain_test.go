package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// atOnce is longer than what a drain takes that waits for nobody, and shorter
// than the shortest wait for anybody.
const atOnce = 2 * time.Second

// drain ends Serve and returns once no listener accepts any more, with a
// function that waits for the end.
func (w *world) drain() (wait func()) {
	w.Helper()
	ended := make(chan error, 1)
	go func() { ended <- w.stop() }()
	w.until("the listener is closed", func() bool {
		c, err := net.Dial("tcp", w.addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	return func() {
		w.Helper()
		if err := receive(w, "the end of Serve", ended); err != nil {
			w.Errorf("Serve = %v, want nil", err)
		}
		if n := w.proxy.Open(); n != 0 {
			w.Errorf("%d connections are open after Serve", n)
		}
	}
}

// until waits for what the program does by itself.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			w.Fatalf("%s: waited in vain", what)
		}
	}
}

// cuts returns how many connections the log says were cut, 0 if it does not.
func (w *world) cuts() int {
	for {
		select {
		case e := <-w.lines:
			if n, ok := e.Data["cut"].(int); ok && e.Level == logrus.WarnLevel {
				return n
			}
		default:
			return 0
		}
	}
}

func TestDrainLetsAnAnswerInFlightEnd(t *testing.T) {
	goOn, started := make(chan struct{}), make(chan struct{}, 1)
	origin := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		started <- struct{}{}
		<-goOn
		_, _ = io.WriteString(w, "last")
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			res, err := c.Get("https://api.test/")
			if err != nil {
				t.Fatal(err)
			}
			receive(t, "the request", started)
			wait := w.drain()
			goOn <- struct{}{}
			read(t, res).want(t, http.StatusOK, "first last")
			wait()
			if n := w.cuts(); n != 0 {
				t.Errorf("%d connections were cut, want none", n)
			}
		})
	}
}

func TestDrainClosesWhatIsIdleAtOnce(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.originPlain("api.test", hello)
	w.run("tok", RunSpec{})
	get(t, w.client(), "https://api.test/").want(t, http.StatusOK, "hello")
	get(t, w.clientH2(), "https://api.test/").want(t, http.StatusOK, "hello")
	get(t, w.client(), "http://api.test/").want(t, http.StatusOK, "hello")
	idle := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	idle.ask("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").want(t, http.StatusOK, "hello")
	start := time.Now()
	w.drain()()
	if took := time.Since(start); took > atOnce {
		t.Errorf("the drain took %v, with 4 idle connections", took)
	}
	idle.ended()
}

func TestDrainServesWhoWasAccepted(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{})
	silent := w.dial()
	half := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	w.until("both are accepted", func() bool { return w.proxy.Open() == 2 })
	wait := w.drain()
	inner := w.within(silent, "api.test:443", &tls.Config{ServerName: "api.test"})
	inner.ask("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").want(t, http.StatusOK, "hello")
	half.ask("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").want(t, http.StatusOK, "hello")
	inner.ended()
	half.ended()
	wait()
}

// TestDrainCutsAtTheLimit has a request that never ends, and an upgraded
// connection that net/http knows nothing of.
func TestDrainCutsAtTheLimit(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DrainLimit = 50 * time.Millisecond })
	started := make(chan struct{}, 1)
	w.origin("api.test", upgraded)
	w.origin("slow.test", func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	})
	w.run("tok", RunSpec{RunID: "run_1", Hosts: map[string]*HostRules{"api.test": bearer("real")}})
	echo := w.upgrade()
	echo.expect("welcomefirst")
	slow := w.tunnel("slow.test:443", &tls.Config{ServerName: "slow.test"})
	slow.send("GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n")
	receive(t, "the request", started)
	start := time.Now()
	w.drain()()
	if took := time.Since(start); took > atOnce {
		t.Errorf("the drain took %v, with a limit of 50 ms", took)
	}
	echo.ended()
	slow.ended()
	lines, cut := 0, 0
	for range len(w.lines) {
		e := <-w.lines
		if n, ok := e.Data["cut"].(int); ok {
			cut = n
		}
		if e.Data["run_id"] == "run_1" {
			lines++
		}
	}
	if cut != 2 || lines != 2 {
		t.Errorf("the log says that %d connections were cut, and has %d lines of requests; want 2 and 2", cut, lines)
	}
}

func TestDrainWithoutALimitCutsAtOnce(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DrainLimit = 0 })
	w.run("tok", RunSpec{})
	silent := w.dial()
	w.until("the client is accepted", func() bool { return w.proxy.Open() == 1 })
	start := time.Now()
	w.drain()()
	if took := time.Since(start); took > atOnce {
		t.Errorf("the drain took %v", took)
	}
	silent.ended()
}

// TestDrainUnderLoad has clients that ask one request after the other. None of
// those that were accepted may go without an answer.
func TestDrainUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{})
	const clients = 8
	lost, answered := make(chan error, clients), make(chan struct{}, 1)
	for range clients {
		go func() { lost <- w.askUntilRefused(answered) }()
	}
	for range 2 * clients {
		receive(t, "an answer", answered)
	}
	wait := w.drain()
	for range clients {
		if err := receive(t, "the end of a client", lost); err != nil {
			t.Errorf("a client that was accepted: %v", err)
		}
	}
	wait()
}

// askUntilRefused opens tunnels for one request each, until nobody accepts
// them. It returns how a request went wrong whose connection was accepted.
func (w *world) askUntilRefused(answered chan<- struct{}) error {
	c := w.client()
	tr, _ := c.Transport.(*http.Transport)
	tr.DisableKeepAlives = true
	for {
		res, err := c.Get("https://api.test/")
		var op *net.OpError
		if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect" && errors.Is(err, syscall.ECONNREFUSED)) {
			return nil
		}
		if errors.Is(err, syscall.ECONNRESET) {
			return nil // in the backlog of the listener, which ended with it
		}
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		select {
		case answered <- struct{}{}:
		default:
		}
	}
}

func TestDrainWaitsForAnUpgradedConnection(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", upgraded)
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real")}})
	echo := w.upgrade()
	echo.expect("welcomefirst")
	wait := w.drain()
	echo.send("still there")
	echo.expect("still there")
	_ = echo.Close()
	wait()
	if n := w.cuts(); n != 0 {
		t.Errorf("%d connections were cut, want none", n)
	}
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	w := prepare(t)
	broken := errors.New("too many open files, for good")
	fine, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.proxy.Serve(t.Context(), fine, failing{other, broken}); !errors.Is(err, broken) {
		t.Errorf("Serve = %v, want %v", err, broken)
	}
	if _, err := fine.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of the other listener = %v, want it closed", err)
	}
}

// failing is a listener that accepts nobody.
type failing struct {
	net.Listener
	err error
}

// Accept implements [net.Listener].
func (f failing) Accept() (net.Conn, error) { return nil, f.err }

func TestServeThatIsToEndBeforeItBegins(t *testing.T) {
	w := prepare(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.proxy.Serve(ctx, ln); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}
