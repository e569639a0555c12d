//go:build e2e

package systemd_test

import (
	"bufio"
	"io"
	"os/exec"
	"testing"
)

// A load is boxload at work: new connections to both sockets all the time.
type load struct {
	t      *testing.T
	cmd    *exec.Cmd
	orders io.WriteCloser
	stdout *bufio.Reader
}

// counts are those of boxload for one target.
type counts struct {
	OK, Refused, Reset, Other, Late int
	Example                         string
	P50MS                           int64 `json:"p50_ms"`
	P99MS                           int64 `json:"p99_ms"`
	MaxMS                           int64 `json:"max_ms"`
}

// load starts 20 requests a second to the API and 100 through the proxy, of r or,
// with the zero run, without a token; each on a connection of its own.
func (m machine) load(t *testing.T, r run, flags ...string) *load {
	t.Helper()
	args := append([]string{
		"exec", "--user", "boxload", "-api", socketPath, "-token", r.token, "-ca", "/home/moat/.moat/ca/ca.crt",
	}, flags...)
	l := &load{t: t, cmd: exec.CommandContext(t.Context(), "./box", args...)}
	l.cmd.Env = m.env
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if l.orders, err = l.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	l.stdout = bufio.NewReader(stdout)
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return l
}

// say gives boxload an order, see there, and returns once it is carried out.
func (l *load) say(order string) {
	l.t.Helper()
	if _, err := io.WriteString(l.orders, order+"\n"); err != nil {
		l.t.Fatalf("boxload: %s: %v", order, err)
	}
	if line, err := l.stdout.ReadString('\n'); err != nil || line != "noted\n" {
		l.t.Fatalf("boxload: %s: answered %q, %v", order, line, err)
	}
}

// end ends the load and returns what came of it.
func (l *load) end() map[string]counts {
	l.t.Helper()
	l.orders.Close()
	report, err := io.ReadAll(l.stdout)
	if err != nil {
		l.t.Fatalf("boxload: %v", err)
	}
	if err := l.cmd.Wait(); err != nil {
		l.t.Fatalf("boxload: %v", err)
	}
	result := map[string]counts{}
	decode(l.t, string(report), &result)
	return result
}
