package activation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// childVar makes the test binary a daemon that reports what it was handed.
const childVar = "MOAT_TEST_TAKE"

// launchdVar makes that daemon one of launchd: it has the names of the
// descriptors from 3 on, separated by colons.
const launchdVar = "MOAT_TEST_LAUNCHD"

// raceVar lets a child with the race detector end at once, not after a second.
const raceVar = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		if err := json.NewEncoder(os.Stdout).Encode(child()); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// taken is the report of a child.
type taken struct {
	Err      string
	Addrs    map[string][]string
	Any      bool
	Again    bool   // a second Take found something
	Leaked   string // variables and descriptors that a child would inherit
	Accepted int    // connections, of those that waited
}

func child() taken {
	take, count := Take, 0
	if names := os.Getenv(launchdVar); names != "" {
		take, count = launchdTake(names), strings.Count(names, ":")+1
	} else {
		count, _ = strconv.Atoi(os.Getenv("LISTEN_FDS"))
	}
	h, err := take()
	out := taken{Any: h.Any()}
	if err != nil {
		out.Err = err.Error()
		return out
	}
	for _, name := range []string{API, Proxy, Routing, "other"} {
		for _, l := range h.Listeners(name) {
			if out.Addrs == nil {
				out.Addrs = make(map[string][]string)
			}
			out.Addrs[name] = append(out.Addrs[name], l.Addr().String())
			out.Accepted += acceptWaiting(l)
		}
	}
	again, err := Take()
	out.Again = again.Any() || err != nil
	env, err := exec.Command("env").Output()
	if err != nil {
		out.Err = err.Error()
	}
	for line := range strings.Lines(string(env)) {
		if strings.HasPrefix(line, "LISTEN_") {
			out.Leaked += line
		}
	}
	for fd := 3; fd < 3+count; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			out.Leaked += fmt.Sprintf("fd %d\n", fd)
		}
	}
	return out
}

// acceptWaiting accepts the connection that the test opened beforehand.
func acceptWaiting(l net.Listener) int {
	c, err := l.Accept()
	if err != nil {
		return 0
	}
	defer c.Close()
	fmt.Fprintln(c, "hello")
	return 1
}

// handed is one descriptor for a child.
type handed struct {
	name string
	file *os.File
}

// A starter starts the test binary as a service manager would, with fds, and
// with env besides.
type starter func(t *testing.T, fds []handed, env ...string) taken

// run is the starter of systemd.
func run(t *testing.T, fds []handed, env ...string) taken {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, exe)
	var names []string
	for _, h := range fds {
		cmd.ExtraFiles = append(cmd.ExtraFiles, h.file)
		names = append(names, h.name)
	}
	cmd.Env = append(os.Environ(), childVar+"=1", raceVar,
		fmt.Sprintf("LISTEN_FDS=%d", len(fds)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.Output()
	return report(t, out, err)
}

func report(t *testing.T, out []byte, err error) taken {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("child: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var got taken
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&got); err != nil {
		t.Fatalf("child printed %q: %v", out, err)
	}
	return got
}

// shortDir returns a directory whose path leaves room for a socket's name.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "act") //nolint:usetesting // TempDir has the name of the test in it, which is too long
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
