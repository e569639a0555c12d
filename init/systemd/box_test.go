//go:build e2e

package systemd_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// cannot is the exit code with which the script box says that this host cannot do it.
const cannot = 3

// A machine is a box that is up.
type machine struct {
	env []string // of the script
}

// A result is what came of a command.
type result struct {
	stdout, stderr string
	code           int // -1: it did not run, or a signal ended it
}

// boot brings a fresh machine up and takes it down when t is over.
func boot(t *testing.T) machine {
	t.Helper()
	m := machine{env: append(os.Environ(), "MOATD_BOX_NAME="+cmp.Or(os.Getenv("MOATD_BOX_NAME"), "e2e"))}
	m.box("down")
	up := m.box("up")
	if up.code == cannot && os.Getenv("MOATD_E2E_REQUIRED") != "1" {
		t.Skip("no machine with systemd here: " + up.stderr)
	}
	t.Cleanup(func() {
		if os.Getenv("MOATD_E2E_KEEP") != "1" {
			m.box("down")
		}
	})
	if up.code != 0 {
		t.Fatalf("box up: exit %d: %s", up.code, up.stderr)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.tryAsUser("journalctl", "--user", "--no-pager", "--lines", "80").stdout)
		}
	})
	return m
}

// box runs the script.
func (m machine) box(args ...string) result {
	return m.boxWith(context.Background(), "", args...)
}

func (m machine) boxWith(ctx context.Context, stdin string, args ...string) result {
	cmd := exec.CommandContext(ctx, "./box", args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = m.env, strings.NewReader(stdin), &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second // for what `box up` leaves behind with our stderr open
	err := cmd.Run()
	r := result{stdout.String(), strings.TrimSpace(stderr.String()), cmd.ProcessState.ExitCode()}
	if err != nil && r.stderr == "" {
		r.stderr = err.Error()
	}
	return r
}

// tryAsUser runs a command as the user moat.
func (m machine) tryAsUser(args ...string) result {
	return m.box(append([]string{"exec", "--user"}, args...)...)
}

// asUser runs a command as the user moat, which must succeed, and returns what it printed.
func (m machine) asUser(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, m.tryAsUser(args...), args)
}

// asRoot is the same as root.
func (m machine) asRoot(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, m.box(append([]string{"exec"}, args...)...), args)
}

// pipeAsUser gives stdin to a command of the user moat.
func (m machine) pipeAsUser(t *testing.T, stdin string, args ...string) {
	t.Helper()
	must(t, m.boxWith(t.Context(), stdin, append([]string{"exec", "--user"}, args...)...), args)
}

func must(t *testing.T, r result, args []string) string {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("%s: exit %d: %.500q %s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return strings.TrimSuffix(r.stdout, "\n")
}

// push copies a file of the host in, owned by root.
func (m machine) push(t *testing.T, file, dst string) {
	t.Helper()
	must(t, m.box("push", file, dst), []string{"push", file, dst})
}

// write makes a file in the machine, owned by the user.
func (m machine) write(t *testing.T, path, text string) {
	t.Helper()
	m.pipeAsUser(t, text, "sh", "-c", `mkdir -p "$(dirname "$1")" && cat >"$1"`, "sh", path)
}

// systemctl runs it on the user's manager.
func (m machine) systemctl(t *testing.T, args ...string) string {
	t.Helper()
	return m.asUser(t, append([]string{"systemctl", "--user"}, args...)...)
}

// property asks for one property of a unit.
func (m machine) property(t *testing.T, unit, name string) string {
	t.Helper()
	return m.systemctl(t, "show", "--value", "-p", name, unit)
}

// journal returns the service's messages that match, as its user can read them.
func (m machine) journal(t *testing.T, matches ...string) string {
	t.Helper()
	query := []string{"journalctl", "--user", "--unit", "moatd", "--output", "cat", "--quiet", "--no-pager"}
	return m.asUser(t, append(query, matches...)...)
}

// dropIn changes the service until remove is called or t is over. It restarts nothing.
func (m machine) dropIn(t *testing.T, lines string) (remove func()) {
	t.Helper()
	const file = "/home/moat/.config/systemd/user/moatd.service.d/test.conf"
	m.write(t, file, "[Service]\n"+lines)
	m.systemctl(t, "daemon-reload")
	remove = func() {
		m.asUser(t, "rm", "-f", file)
		m.systemctl(t, "daemon-reload")
	}
	t.Cleanup(remove)
	return remove
}

// eventually asks until the answer is yes, and fails t if that takes too long.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, yes)
}

// within is eventually with another patience.
func within(t *testing.T, patience time.Duration, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("too late"))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
