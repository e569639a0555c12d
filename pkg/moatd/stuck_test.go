package moatd_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/moatd"
)

// A hanging is what a part does once it is told to, until it is let go.
type hanging struct{ now, over chan struct{} }

func (h hanging) block() {
	select {
	case <-h.now:
		<-h.over
	default:
	}
}

// A hangingListener accepts nobody while it hangs.
type hangingListener struct {
	net.Listener
	hanging
}

// Accept implements [net.Listener].
func (l hangingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	l.block()
	return conn, err
}

// A hung daemon runs in this process, and one part of it can hang.
type hung struct {
	*daemontest.Daemon
	hanging
	log   syncBuffer
	stop  context.CancelFunc
	ended chan error
}

// startHung starts one under a service manager whose watchdog waits for 300 ms.
func startHung(t *testing.T, part string) (*hung, *manager) {
	t.Helper()
	h := &hung{Daemon: daemontest.New(t), hanging: hanging{make(chan struct{}), make(chan struct{})}, ended: make(chan error, 1)}
	m := newManager(t, h.Settings.Home)
	t.Setenv("NOTIFY_SOCKET", m.conn.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("WATCHDOG_PID", "")
	os.Unsetenv("WATCHDOG_PID")
	byName := make(map[string][]net.Listener)
	for name, network := range map[string]string{activation.API: "unix", activation.Proxy: "tcp", activation.Routing: "tcp"} {
		addr := "127.0.0.1:0"
		if network == "unix" {
			addr = filepath.Join(h.Settings.Home, "api.sock")
		}
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		if name == part {
			ln = hangingListener{ln, h.hanging}
		}
		byName[name] = []net.Listener{ln}
	}
	h.Client = daemon.NewClient(byName[activation.API][0].Addr().String())
	ctx, stop := context.WithCancel(context.Background())
	opts := moatd.Options{
		Settings: h.Settings, Handed: activation.NewHanded(byName), Notify: activation.NewNotifier(), Stderr: &h.log,
		OpenStore: func(path string, o store.Options) (*store.Store, store.Recovery, error) {
			if part == "database" {
				o.BeforeCommit = h.block
			}
			return store.Open(path, o)
		},
	}
	h.stop = stop
	go func() { h.ended <- moatd.Serve(ctx, opts) }()
	t.Cleanup(func() { stop(); <-h.ended })
	m.await("READY=1")
	m.await("WATCHDOG=1")
	return h, m
}

func TestTheWatchdogNoticesEachPartThatHangs(t *testing.T) {
	for part, cause := range map[string]string{
		activation.API:     "the API does not answer",
		activation.Proxy:   "the proxy on 127.0.0.1:",
		activation.Routing: "the routes on 127.0.0.1:",
		"database":         "the database does not answer",
	} {
		t.Run(part, func(t *testing.T) {
			h, m := startHung(t, part)
			close(h.now)
			if part == "database" {
				go h.Client.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "r"})
			}
			m.await("STATUS=unhealthy: ", cause)
			for range 3 { // no ping comes between
				if msg := m.next(); !strings.Contains(msg, cause) || !strings.HasSuffix(msg, "not within 150ms") || strings.Count(msg, "not within") != 1 {
					t.Errorf("the service manager is told %q while a part hangs, want the cause alone", msg)
				}
			}
			if log := h.log.String(); strings.Count(log, "moatd is stuck") != 1 || !strings.Contains(log, cause) {
				t.Errorf("the log has not once that moatd is stuck, and why:\n%s", log)
			}
			close(h.over)
			m.await("WATCHDOG=1")
			m.await("STATUS=serving")
			if log := h.log.String(); !strings.Contains(log, "no longer stuck") {
				t.Errorf("the log does not say that it has passed:\n%s", log)
			}
		})
	}
}

// The end of a daemon whose database hangs does not hang with it.
func TestADatabaseThatHangsDoesNotKeepTheDaemon(t *testing.T) {
	h, _ := startHung(t, "database")
	close(h.now) // the last commit is of the end itself
	start := time.Now()
	h.stop()
	err := <-h.ended
	h.ended <- err
	if took := time.Since(start); err == nil || !strings.Contains(err.Error(), "did not close") || took > 20*time.Second {
		t.Errorf("Serve = %v after %v, want an error about the database, after some seconds", err, took)
	}
	close(h.over)
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf strings.Builder // guarded by mu
}

// Write implements [io.Writer].
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
