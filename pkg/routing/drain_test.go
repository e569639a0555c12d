package routing

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// atOnce is longer than what a drain takes that waits for nobody, and shorter
// than the shortest wait for anybody.
const atOnce = 2 * time.Second

// drain ends Serve and returns once the listener is closed, with a function that
// waits for the end.
func (w *world) drain() (wait func()) {
	w.Helper()
	ended := make(chan error, 1)
	go func() { ended <- w.stop() }()
	w.until("the listener is closed", func() bool {
		c, err := net.Dial("tcp", w.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	return func() {
		w.Helper()
		if err := receive(w, "the end of Serve", ended); err != nil {
			w.Errorf("Serve = %v, want nil", err)
		}
		if n := w.router.Open(); n != 0 {
			w.Errorf("%d connections are open after Serve", n)
		}
	}
}

func TestDrainLetsAnAnswerInFlightEnd(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		w := newWorld(t)
		goOn, started := make(chan struct{}), make(chan struct{}, 1)
		w.service("a", "web", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "first ")
			http.NewResponseController(w).Flush()
			started <- struct{}{}
			<-goOn
			io.WriteString(w, "last")
		})
		res, err := w.client().Get(scheme + "://a.localhost/")
		if err != nil {
			t.Fatal(err)
		}
		receive(t, "the request", started)
		wait := w.drain()
		close(goOn)
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "first last" {
			t.Errorf("%s: read %q, %v, want all of it", scheme, body, err)
		}
		res.Body.Close()
		wait()
	}
}

func TestDrainClosesWhatIsIdleAtOnce(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", says("hello"))
	w.get("http://a.localhost/")
	w.get("https://a.localhost/")
	start := time.Now()
	w.drain()()
	if took := time.Since(start); took > atOnce {
		t.Errorf("the drain took %v, with idle connections alone", took)
	}
}

// net/http's Shutdown alone would drop the first request of both.
func TestDrainServesWhoWasAccepted(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", says("hello"))
	silent, half := w.dial(), w.dial()
	io.WriteString(half, "GET / HT")
	w.until("both are accepted", func() bool { return w.router.Open() == 2 })
	wait := w.drain()
	io.WriteString(silent, "GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
	io.WriteString(half, "TP/1.1\r\nHost: a.localhost\r\n\r\n")
	for _, conn := range []net.Conn{silent, half} {
		if got := w.readAnswer(conn); got.StatusCode != 200 || got.body != "hello" || !got.Close {
			t.Errorf("got %s %q, close %t, want 200 hello and the end of the connection", got.Status, got.body, got.Close)
		}
	}
	wait()
}

func TestDrainCutsAtTheLimit(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DrainLimit = 50 * time.Millisecond })
	started := make(chan struct{}, 1)
	w.service("a", "slow", func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	})
	w.service("a", "hmr", echo(t))
	slow := w.dial()
	fmt.Fprint(slow, "GET / HTTP/1.1\r\nHost: slow.a.localhost\r\n\r\n")
	receive(t, "the request", started)
	ws, _, err := websocket.Dial(t.Context(), "ws://hmr.a.localhost/", &websocket.DialOptions{HTTPClient: w.client()})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	start := time.Now()
	w.drain()()
	if took := time.Since(start); took > atOnce {
		t.Errorf("the drain took %v, with a limit of 50 ms", took)
	}
	if _, err := bufio.NewReader(slow).ReadByte(); err == nil {
		t.Error("the slow request got an answer, want its connection cut")
	}
	if log := w.log.String(); !strings.Contains(log, "cut=2") {
		t.Errorf("the log does not say that 2 connections were cut:\n%s", log)
	}
}

func TestDrainWaitsForAnUpgradedConnection(t *testing.T) {
	w := newWorld(t)
	w.service("a", "hmr", echo(t))
	ws, _, err := websocket.Dial(t.Context(), "ws://hmr.a.localhost/", &websocket.DialOptions{HTTPClient: w.client()})
	if err != nil {
		t.Fatal(err)
	}
	wait := w.drain()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("still there")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ws.Read(t.Context()); err != nil || string(got) != "STILL THERE" {
		t.Errorf("read %q, %v during the drain, want STILL THERE", got, err)
	}
	ws.Close(websocket.StatusNormalClosure, "")
	wait()
}

// flaky is a listener whose first calls of Accept fail.
type flaky struct {
	net.Listener
	errs chan error
}

func (f flaky) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

func TestServeSurvivesAShortageOfDescriptors(t *testing.T) {
	w := newWorld(t)
	table, _ := newTable(t)
	rt, err := New(Options{Table: table})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 3)
	errs <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
	errs <- &net.OpError{Op: "accept", Err: syscall.ECONNABORTED}
	errs <- &net.OpError{Op: "accept", Err: syscall.ENFILE}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- rt.Serve(ctx, flaky{ln, errs}) }()
	w.addr = ln.Addr().String()
	if got := w.raw("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"); got.StatusCode != 200 {
		t.Errorf("GET after Accept had failed three times = %s, want 200", got.Status)
	}
	cancel()
	if err := receive(t, "the end of Serve", ended); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	table, _ := newTable(t)
	rt, err := New(Options{Table: table})
	if err != nil {
		t.Fatal(err)
	}
	fine, _ := net.Listen("tcp", "127.0.0.1:0")
	other, _ := net.Listen("tcp", "127.0.0.1:0")
	broken := errors.New("the listener broke")
	errs := make(chan error, 1)
	errs <- broken
	if err := rt.Serve(t.Context(), fine, flaky{other, errs}); !errors.Is(err, broken) {
		t.Errorf("Serve = %v, want %v", err, broken)
	}
	if _, err := fine.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of the other listener = %v, want it closed", err)
	}
}

func TestNewNeedsATable(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("New(Options{}) = nil error, want one")
	}
}
