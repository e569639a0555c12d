package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A world is what the demo has made, in a temporary directory.
type world struct {
	dir    string // holds all of it
	home   string // of moat
	bin    string // of the two programs
	origin *origin
	daemon *exec.Cmd     // nil while it does not run
	said   *bytes.Buffer // all that programs printed, but for the agent
}

func (w *world) log() string { return filepath.Join(w.dir, "moatd.log") }

// newWorld builds the programs and starts the origin.
func newWorld(ctx context.Context) (*world, error) {
	dir, err := os.MkdirTemp("", "moat-demo")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, home: filepath.Join(dir, "home"), bin: filepath.Join(dir, "bin"), said: new(bytes.Buffer)}
	if err = os.MkdirAll(filepath.Join(w.home, "providers"), 0o700); err != nil {
		return w, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", w.bin+string(filepath.Separator), "./cmd/...")
	out, err := build.CombinedOutput()
	if err != nil {
		return w, fmt.Errorf("build: %w\n%s", err, out)
	}
	if w.origin, err = startOrigin(); err != nil {
		return w, fmt.Errorf("start the origin: %w", err)
	}
	return w, w.configure()
}

// configure writes the two files that a user would write.
func (w *world) configure() error {
	provider := fmt.Sprintf(`name: demo
description: the origin of the demo
inject:
  - hosts: [%q]
    header: Authorization
    prefix: "Bearer "
env:
  DEMO_TOKEN: %s
`, w.origin.host, placeholder)
	ca := filepath.Join(w.dir, "origin.pem")
	for path, text := range map[string]string{
		filepath.Join(w.home, "providers", "demo.yaml"): provider,
		filepath.Join(w.home, "config.yaml"):            "upstream_ca: " + ca + "\nproxy_addr: 127.0.0.1:0\nrouting_addr: off\n",
		ca:                                              string(w.origin.pem),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) environ() []string {
	return append(os.Environ(), "MOAT_HOME="+w.home, "MOAT_KEY_SOURCE=file", "MOAT_API_SOCKET="+filepath.Join(w.dir, "api.sock"))
}

// start starts moatd and waits until it says that it is ready.
func (w *world) start(ctx context.Context) error {
	w.daemon = exec.CommandContext(ctx, filepath.Join(w.bin, "moatd"), "serve", "--log-format", "text")
	w.daemon.Env = w.environ()
	out, err := w.daemon.StderrPipe()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(w.log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := w.daemon.Start(); err != nil {
		return err
	}
	ready := make(chan error, 1)
	go follow(out, log, ready)
	if err := <-ready; err != nil {
		return fmt.Errorf("start moatd: %w; see %s", err, w.log())
	}
	return nil
}

// follow copies the log of moatd, to its end, and tells when moatd is ready.
func follow(out io.Reader, log io.WriteCloser, ready chan<- error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(log, lines.Text())
		if strings.Contains(lines.Text(), "moatd is ready") {
			ready <- nil
		}
	}
	select {
	case ready <- errors.New("it ended"):
	default: // it was ready, and that was taken note of or not
	}
	_ = log.Close() // nothing is left to write
}

// kill ends moatd the hard way.
func (w *world) kill() error {
	err := w.daemon.Process.Signal(syscall.SIGKILL)
	_ = w.daemon.Wait() // it was killed; its code says so
	w.daemon = nil
	return err
}

// moat runs a command of moat to its end and returns what it printed.
func (w *world) moat(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "moat"), args...)
	cmd.Env, cmd.Stdin = w.environ(), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	w.said.Write(out)
	if err != nil {
		return "", fmt.Errorf("moat %s: %w\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// end ends and removes everything.
func (w *world) end() error {
	if w.daemon != nil {
		_ = w.kill() // an error means that it has ended already
	}
	if w.origin != nil {
		_ = w.origin.srv.Close() // the program ends anyway
	}
	return os.RemoveAll(w.dir)
}
