package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what happens within a second on a machine at rest.
const patience = 30 * time.Second

// awaited is a file that tells when a text is in it.
type awaited struct {
	file  *os.File
	text  string
	have  bytes.Buffer
	found chan struct{}
}

func (a *awaited) Write(b []byte) (int, error) {
	before := strings.Contains(a.have.String(), a.text)
	a.have.Write(b)
	if !before && strings.Contains(a.have.String(), a.text) {
		close(a.found)
	}
	return a.file.Write(b)
}

// A moatdProcess is a daemon that is ready.
type moatdProcess struct {
	cmd     *exec.Cmd
	ended   chan error
	stopped bool
}

// startDaemon starts moatd serve with an environment and returns when it is
// ready. Its log is in the file moatd.log of dir.
func startDaemon(dir string, env []string, flags ...string) (*moatdProcess, error) {
	log, err := os.Create(filepath.Join(dir, "moatd.log"))
	if err != nil {
		return nil, err
	}
	out := &awaited{file: log, text: "moatd is ready", found: make(chan struct{})}
	args := append([]string{"serve", "--proxy-addr", "127.0.0.1:0", "--routing-addr", "off"}, flags...)
	d := &moatdProcess{cmd: exec.Command("moatd", args...), ended: make(chan error, 1)}
	d.cmd.Env, d.cmd.Stderr = env, out
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- errors.Join(d.cmd.Wait(), log.Close()) }()
	select {
	case <-out.found:
		return d, nil
	case err := <-d.ended:
		return nil, fmt.Errorf("moatd ended: %v; its log:\n%s", err, &out.have)
	case <-time.After(patience):
		return nil, errors.Join(errors.New("moatd is not ready in time"), d.stop(syscall.SIGKILL))
	}
}

// stop ends the daemon and waits for it. One that was stopped before is fine, one
// that has ended by itself is not.
func (d *moatdProcess) stop(sig syscall.Signal) error {
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if d.stopped {
		return nil
	}
	d.stopped = true
	select {
	case err := <-d.ended:
		if sig == syscall.SIGKILL {
			return nil
		}
		return err
	case <-time.After(patience):
		return errors.Join(errors.New("moatd does not end"), d.cmd.Process.Kill())
	}
}

// A place is a home with a daemon that trusts an origin.
type place struct {
	home string // moat's
	env  []string
}

// newPlace returns a place where the grant demo has the secret.
func newPlace(t *testing.T, o *origin) place {
	t.Helper()
	dir, run := t.TempDir(), shortDir(t)
	p := place{home: filepath.Join(dir, ".moat")}
	p.env = []string{"MOAT_KEY_SOURCE=file", "HOME=" + dir, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + run, "MOAT_UPSTREAM_CA=" + o.caFile, "GORACE=" + os.Getenv("GORACE")}
	if err := o.provider(p.home); err != nil {
		t.Fatal(err)
	}
	grant := p.command(t, "grant", "demo")
	grant.Stdin = strings.NewReader(secret)
	if out, err := grant.CombinedOutput(); err != nil {
		t.Fatalf("moat grant demo: %v\n%s", err, out)
	}
	d, err := startDaemon(dir, p.env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.stop(syscall.SIGTERM); err != nil {
			t.Errorf("stop moatd: %v", err)
		}
	})
	return p
}

// command returns moat with arguments, to be run in the place.
func (p place) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "moat", args...)
	cmd.Env, cmd.Dir = p.env, t.TempDir()
	return cmd
}

// shortDir returns a directory for sockets, whose paths must be short.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "moat") //nolint:usetesting // t.TempDir is too long on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
