package cli_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdOrigin starts an origin, describes the provider demo for it, and makes a
// daemon of later trust it: $ORIGIN and $PLAIN are its HTTPS and its HTTP.
func cmdOrigin(ts *testscript.TestScript, _ bool, _ []string) {
	o, closeBoth, err := newOrigin(ts.MkAbs("."), nil)
	ts.Check(err)
	ts.Defer(closeBoth)
	ts.Check(o.provider(ts.Getenv("MOAT")))
	ts.Setenv("ORIGIN", o.secure)
	ts.Setenv("PLAIN", o.plain)
	ts.Setenv("MOAT_UPSTREAM_CA", o.caFile)
	scriptOf(ts).origin = o
}

// cmdSaw checks how many requests the origin got, and a header of the last one,
// where SECRET stands for the secret: saw 1 Authorization 'Bearer SECRET'.
func cmdSaw(ts *testscript.TestScript, _ bool, args []string) {
	all := scriptOf(ts).origin.requests()
	if got := fmt.Sprint(len(all)); got != args[0] {
		ts.Fatalf("the origin saw %s requests, want %s", got, args[0])
	}
	if len(args) < 3 {
		return
	}
	want := strings.ReplaceAll(args[2], "SECRET", secret)
	if got := all[len(all)-1].Header.Get(args[1]); got != want {
		ts.Fatalf("the origin did not see %s %s", args[1], args[2]) // what it saw may be the secret
	}
}

// cmdSetSecret puts the secret into a variable.
func cmdSetSecret(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], secret) }

// cmdDaemon starts a daemon with flags and waits until it is ready; daemon stop
// and daemon kill end it.
func cmdDaemon(ts *testscript.TestScript, _ bool, args []string) {
	s := scriptOf(ts)
	if len(args) == 1 && (args[0] == "stop" || args[0] == "kill") {
		ts.Check(s.daemon.stop(map[string]syscall.Signal{"stop": syscall.SIGTERM, "kill": syscall.SIGKILL}[args[0]]))
		return
	}
	var env []string
	for _, name := range []string{"HOME", "PATH", "XDG_RUNTIME_DIR", "MOAT_UPSTREAM_CA", "MOAT_KEY_SOURCE", "GORACE"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	d, err := startDaemon(ts.MkAbs("."), env, args...)
	ts.Check(err)
	ts.Defer(func() { ts.Check(d.stop(syscall.SIGTERM)) })
	s.daemon = d
}

// cmdListen listens at $SOCKET, as a service manager does, and counts who comes.
func cmdListen(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(os.MkdirAll(filepath.Dir(ts.Getenv("SOCKET")), 0o700))
	ln, err := net.Listen("unix", ts.Getenv("SOCKET"))
	ts.Check(err)
	s, done := scriptOf(ts), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.dialled.Add(1)
			c.Close()
		}
	}()
	ts.Defer(func() { ln.Close(); <-done })
}

// cmdDialled checks how often somebody came to the socket of listen. The kernel
// keeps connections in their order, so all that came before are counted once
// one of our own is.
func cmdDialled(ts *testscript.TestScript, _ bool, args []string) {
	c, err := net.Dial("unix", ts.Getenv("SOCKET"))
	ts.Check(err)
	defer c.Close()
	_, _ = c.Read(make([]byte, 1)) // returns when it was counted and closed
	if got := fmt.Sprint(scriptOf(ts).dialled.Add(-1)); got != args[0] {
		ts.Fatalf("%s connections to %s, want %s", got, ts.Getenv("SOCKET"), args[0])
	}
}

// cmdPair puts moat and moatd into one directory, $PAIR, as they are installed: a
// moat that is a link knows only where the link leads. The directory is not below
// that of the script, since this program has the secret in it.
func cmdPair(ts *testscript.TestScript, _ bool, _ []string) {
	self, err := os.Executable()
	ts.Check(err)
	dir, err := os.MkdirTemp(filepath.Dir(self), "pair")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	ts.Setenv("PAIR", dir)
	for _, name := range []string{"moat", "moatd"} {
		ts.Check(os.Link(self, filepath.Join(dir, name)))
	}
}
