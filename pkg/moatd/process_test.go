package moatd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
)

// A process is a daemon in a process of its own, which can be killed. Its
// sockets belong to the test, as they would to systemd: connections wait in
// their backlogs while no daemon lives.
type process struct {
	t      *testing.T
	home   string
	sock   string
	files  []*os.File // api and proxy, in this order
	names  string     // of the files
	env    []string
	limit  int           // of file descriptors; 0 for that of the test
	delay  time.Duration // how long to wait, after the end, for others that have its standard error; 0 for ever
	cmd    *exec.Cmd
	stderr *io.PipeWriter
	mu     sync.Mutex
	log    strings.Builder // guarded by mu
}

func newProcess(t *testing.T) *process {
	t.Helper()
	home, err := os.MkdirTemp("", "moat") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	p := &process{t: t, home: home, sock: filepath.Join(home, "api.sock"), names: "api:proxy"}
	return p
}

// handOver makes the listeners of a service manager.
func (p *process) handOver() (proxyAddr string) {
	p.t.Helper()
	api, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.sock})
	if err != nil {
		p.t.Fatal(err)
	}
	if err = os.Chmod(p.sock, 0o600); err != nil {
		p.t.Fatal(err)
	}
	proxy, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, ln := range []interface{ File() (*os.File, error) }{api, proxy} {
		f, err := ln.File()
		if err != nil {
			p.t.Fatal(err)
		}
		p.files = append(p.files, f)
		p.t.Cleanup(func() { f.Close() })
	}
	api.SetUnlinkOnClose(false)
	api.Close() // the files keep the sockets open; nobody here accepts
	proxy.Close()
	return proxy.Addr().String()
}

// start starts the daemon with the arguments and returns when it says it is ready.
func (p *process) start(args ...string) {
	p.t.Helper()
	ready, err := p.spawn(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := <-ready; err != nil {
		p.t.Fatalf("the daemon did not get ready: %v\n%s", err, p.output())
	}
}

// spawn starts the daemon; ready has nil once it is ready, and an error if it
// ends before.
func (p *process) spawn(args ...string) (ready <-chan error, err error) {
	args = append([]string{"serve", "--home", p.home, "--log-format", "text"}, args...)
	if len(p.files) > 0 { // LISTEN_PID must be that of the daemon, which the shell becomes
		script := `LISTEN_PID=$$ exec "$0" "$@"`
		if p.limit > 0 {
			script = fmt.Sprintf("ulimit -n %d; ", p.limit) + script
		}
		args = append([]string{"-c", script, os.Args[0]}, args...)
		p.cmd = exec.Command("/bin/sh", args...)
	} else {
		p.cmd = exec.Command(os.Args[0], args...)
	}
	p.cmd.Env = append(os.Environ(), "MOATD_TEST_DAEMON=1", fmt.Sprintf("LISTEN_FDS=%d", len(p.files)), "LISTEN_FDNAMES="+p.names)
	p.cmd.Env = append(p.cmd.Env, "MOAT_ROUTING_ADDR=127.0.0.1:0", "MOAT_KEY_SOURCE=file") // never the keyring of who runs the test
	p.cmd.Env = append(p.cmd.Env, p.env...)
	p.cmd.ExtraFiles, p.cmd.WaitDelay = p.files, p.delay
	r, w := io.Pipe()
	p.cmd.Stderr, p.stderr = w, w
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go p.watch(r, done)
	return done, nil
}

func (p *process) watch(r io.Reader, ready chan<- error) {
	told := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if !told && strings.Contains(lines.Text(), "moatd is ready") {
			told = true
			ready <- nil
		}
	}
	if !told {
		ready <- errors.New("it ended")
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// kill ends the daemon as a crash does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.wait()
}

// wait waits for the end of the daemon and returns its exit code, -1 if a
// signal ended it.
func (p *process) wait() int {
	_ = p.cmd.Wait() // the exit code says it all
	p.stderr.Close()
	return p.cmd.ProcessState.ExitCode()
}

// end ends the daemon as a service manager does.
func (p *process) end() {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.t.Errorf("exit code %d after SIGTERM, want 0:\n%s", code, p.output())
	}
}

// A state is what a daemon has.
type state struct {
	runs   map[string]daemon.RunInfo // by id
	routed map[string]bool           // agents with routes
}

// state returns what the daemon has.
func (p *process) state(ctx context.Context) state {
	p.t.Helper()
	c := daemon.NewClient(p.sock)
	runs, err := c.ListRuns(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	routes, err := c.ListRoutes(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	s := state{runs: make(map[string]daemon.RunInfo), routed: make(map[string]bool)}
	for _, r := range runs {
		s.runs[r.RunID] = r
	}
	for _, r := range routes {
		s.routed[r.Agent] = true
	}
	return s
}
