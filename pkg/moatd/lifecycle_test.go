package moatd_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/moatd"
)

// A manager is the notification socket of a service manager.
type manager struct {
	conn *net.UnixConn
	t    *testing.T
}

func newManager(t *testing.T, dir string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{conn, t}
}

// await waits for a message that has all the words.
func (m *manager) await(words ...string) {
	m.t.Helper()
	for {
		msg, missing := m.next(), false
		for _, w := range words {
			missing = missing || !strings.Contains(msg, w)
		}
		if !missing {
			return
		}
	}
}

// next waits for the next message.
func (m *manager) next() string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := m.conn.Read(buf)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(buf[:n])
}

func TestTheServiceManagerIsToldHowItGoes(t *testing.T) {
	p := newProcess(t)
	p.handOver()
	m := newManager(t, p.home)
	p.env = []string{"NOTIFY_SOCKET=" + m.conn.LocalAddr().String(), "WATCHDOG_USEC=1000000"}
	if _, err := p.spawn(); err != nil {
		t.Fatal(err)
	}
	m.await("READY=1", "STATUS=serving 0 runs on 127.0.0.1:")
	c := daemon.NewClient(p.sock)
	if _, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "r"}); err != nil {
		t.Fatal(err)
	}
	m.await("STATUS=serving 1 runs")
	m.await("WATCHDOG=1")
	path := filepath.Join(p.home, "config.yaml")
	if err := os.WriteFile(path, []byte("idle_exit: 7m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	m.await("RELOADING=1", "MONOTONIC_USEC=")
	m.await("READY=1", "STATUS=serving 1 runs")
	p.cmd.Process.Signal(syscall.SIGTERM)
	m.await("STOPPING=1", "STATUS=draining")
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, p.output())
	}
	if !strings.Contains(p.output(), "the settings have changed") {
		t.Errorf("the log does not say that the settings have changed:\n%s", p.output())
	}
}

// Connections that arrive while no daemon lives wait, and are served by the
// next one; so do those that arrive during a restart.
func TestAConnectionBetweenTwoDaemonsWaits(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*process)
	}{
		{"killed", (*process).kill},
		{"stopped", func(p *process) { p.end() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProcess(t)
			addr := p.handOver()
			p.start()
			tt.end(p)
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatalf("a connection was refused: %v", err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
			health := make(chan error, 1)
			go func() {
				_, failed := daemon.NewClient(p.sock).Health(context.Background())
				health <- failed
			}()
			p.start()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != http.StatusProxyAuthRequired {
				t.Errorf("the waiting request got %v, %v, want 407", res, err)
			}
			if err = <-health; err != nil {
				t.Errorf("the waiting call of the API: %v", err)
			}
			p.end()
		})
	}
}

func TestStoppingLetsARequestInFlightEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	d := daemontest.New(t)
	origin := d.Origin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "begin ")
		http.NewResponseController(w).Flush()
		close(arrived)
		<-release
		fmt.Fprint(w, "end")
	}))
	d.Start()
	c := d.HTTPClient(d.Register(daemon.RegisterRequest{RunID: "r", NetworkAllow: []string{origin}}))
	body := make(chan string, 1)
	go func() {
		_, text, _ := get(t, c, "https://"+origin+"/")
		body <- text
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() { d.Stop(); close(stopped) }()
	for !strings.Contains(d.Log(), "moatd is stopping") {
		select {
		case <-stopped:
			t.Fatal("the daemon has stopped with a request in flight")
		default:
			runtime.Gosched()
		}
	}
	close(release)
	if got := <-body; got != "begin end" {
		t.Errorf("the request in flight got %q, want all of it", got)
	}
	<-stopped
}

func TestExitCodesOfTheProgram(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"no command", nil, moatd.ExitUsage, "usage: moatd serve"},
		{"an unknown command", []string{"run"}, moatd.ExitUsage, "usage: moatd serve"},
		{"help", []string{"serve", "-h"}, 0, "-idle-exit"},
		{"an unknown flag", []string{"serve", "--colour"}, moatd.ExitUsage, "colour"},
		{"an argument", []string{"serve", "now"}, moatd.ExitUsage, "no arguments"},
		{"a bad duration", []string{"serve", "--idle-exit", "soon"}, moatd.ExitUsage, "--idle-exit"},
		{"a bad variable", []string{"serve"}, moatd.ExitConfig, "MOAT_DRAIN_LIMIT"},
		{"the version", []string{"version"}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs strings.Builder
			code := moatd.Main(moatd.Process{
				Args: tt.args, UserHome: t.TempDir(), Stdout: &out, Stderr: &errs,
				Getenv: func(name string) string {
					return map[string]string{"MOAT_DRAIN_LIMIT": map[bool]string{true: "x"}[tt.name == "a bad variable"]}[name]
				},
			})
			if code != tt.want || !strings.Contains(errs.String(), tt.says) {
				t.Errorf("Main(%q) = %d, %q, want %d, %q", tt.args, code, errs.String(), tt.want, tt.says)
			}
		})
	}
}

// A port that another program has must not take the API down with it: there the
// user learns what is wrong.
func TestATakenPortLeavesTheAPI(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := newProcess(t)
	p.handOver()
	p.files, p.names = p.files[:1], "api"
	p.start("--proxy-addr", taken.Addr().String())
	h, err := daemon.NewClient(p.sock).Health(t.Context())
	if err != nil || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], taken.Addr().String()) {
		t.Errorf("Health = %+v, %v, want the taken port as a problem", h, err)
	}
	p.end()
}

// A client of the API that was accepted gets its answer, although the daemon
// was told to end before it had asked.
func TestAnAcceptedCallOfTheAPIIsAnswered(t *testing.T) {
	d := daemontest.Start(t)
	conn, err := net.Dial("unix", d.Settings.APISocket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err = d.Client.Health(t.Context()); err != nil { // accepted after ours, which is accepted then too
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() { d.Stop(); close(stopped) }()
	for !strings.Contains(d.Log(), "moatd is stopping") {
		runtime.Gosched()
	}
	fmt.Fprint(conn, "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the call got %v, %v, want 200", res, err)
	}
	<-stopped
}
