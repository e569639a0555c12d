//go:build e2e

package systemd_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func (m machine) testWatchdog(t *testing.T) {
	m.dropIn(t, "WatchdogSec=3\n")
	m.systemctl(t, "restart", "moatd")
	r, pid := m.register(t, "run_watchdog"), m.pid(t)
	m.systemctl(t, "kill", "--signal", "STOP", "moatd")
	m.works(t, r, "while the daemon hangs") // waits until there is another
	if got := m.pid(t); got == pid {
		t.Errorf("pid after the watchdog: still %d", got)
	}
	eventually(t, "what hung, in the journal", func() bool {
		return strings.Contains(m.journal(t), "\ngoroutine 1 ")
	})
	eventually(t, "the watchdog in the journal", func() bool {
		return strings.Contains(m.journal(t), "Watchdog timeout")
	})
}

func (m machine) testCrashLoop(t *testing.T) {
	r := m.register(t, "run_loop")
	remove := m.dropIn(t, "ExecStart=\nExecStart=/bin/false\n")
	m.systemctl(t, "kill", "--signal", "KILL", "moatd")
	start, before := time.Now(), m.restarts(t)
	answer := make(chan result, 1)
	go func() { answer <- m.fetch(r, "/") }()

	eventually(t, "twelve starts that fail", func() bool { return m.restarts(t)-before >= 12 })
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("twelve starts took %v, want at most five a second", took)
	}
	for _, unit := range []string{"moatd.socket", "moatd-proxy.socket"} {
		if got := m.property(t, unit, "ActiveState"); got != "active" {
			t.Errorf("after twelve crashes %s is %s, want active", unit, got)
		}
	}
	remove()
	if got := <-answer; got.stdout != "hello\n" {
		t.Errorf("client that came in the loop: exit %d, %q: %s; want hello", got.code, got.stdout, got.stderr)
	}
}

func (m machine) restarts(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(m.property(t, "moatd", "NRestarts"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A mistake in config.yaml is not tried again, and one can see what it is. A client
// that waits would start it again and again; systemd's limit on triggers ends that,
// at the price of the socket.
func (m machine) testPermanentFailure(t *testing.T) {
	const file, bad = "/home/moat/.moat/config.yaml", `line 2: no setting is called "colour"`
	good := m.asUser(t, "cat", file)
	m.systemctl(t, "stop", "moatd")
	m.write(t, file, good+"\ncolour: red\n")
	since := m.asUser(t, "date", "+%F %T.%N")
	got := m.tryAsUser("curl", "-sS", "--max-time", "10", "--unix-socket", socketPath, "http://moatd/v1/health")
	if got.code == 0 {
		t.Errorf("health from a daemon with a bad config.yaml: %s", got.stdout)
	}
	for _, tt := range []struct{ unit, property, want string }{
		{"moatd.service", "Result", "exit-code"},
		{"moatd.service", "ExecMainStatus", "78"},
		{"moatd.service", "NRestarts", "0"},
		{"moatd.socket", "Result", "trigger-limit-hit"},
	} {
		if got := m.property(t, tt.unit, tt.property); got != tt.want {
			t.Errorf("%s of %s: %s, want %s", tt.property, tt.unit, got, tt.want)
		}
	}
	if status := m.property(t, "moatd", "StatusText"); !strings.Contains(status, bad) {
		t.Errorf("status after the end: %q, want %q in it", status, bad)
	}
	m.inJournal(t, since, "PRIORITY=3", "moatd: configuration: ", bad)
	m.write(t, file, good+"\n")
	m.recovers(t)
}

// recovers fails t unless the API answers once more, the cause mended.
func (m machine) recovers(t *testing.T) {
	t.Helper()
	eventually(t, "an answer, the cause mended", func() bool { // 257 still counts triggers of the last 2 s
		m.systemctl(t, "reset-failed", "moatd.service", "moatd.socket", "moatd-proxy.socket")
		m.systemctl(t, "start", "moatd.socket", "moatd-proxy.socket")
		return m.tryAsUser("curl", "-sS", "--unix-socket", socketPath, "http://moatd/v1/health").code == 0
	})
}

// testTakenPort has a port that systemd could not bind either.
func (m machine) testTakenPort(t *testing.T) {
	r := m.register(t, "run_taken")
	m.systemctl(t, "stop", "moatd.service", "moatd-proxy.socket")
	m.asUser(t, "systemd-run", "--user", "--quiet", "--unit", "thief", "systemd-socket-activate", "-l", "127.0.0.1:19080", "cat")
	eventually(t, "another program at the proxy's port", func() bool {
		return m.property(t, "thief", "ActiveState") == "active" && strings.Contains(m.asUser(t, "cat", "/proc/net/tcp"), "0100007F:4A88")
	})
	health := m.call(t, "GET", "/v1/health", "", "200")
	if want := "listen on 127.0.0.1:19080: already in use"; !strings.Contains(health, want) {
		t.Errorf("health with a taken port: %s, want %q in it", health, want)
	}
	if got := m.property(t, "moatd-proxy.socket", "Result"); got != "resources" {
		t.Errorf("result of moatd-proxy.socket: %s, want resources", got)
	}
	m.systemctl(t, "stop", "thief")
	eventually(t, "the port served, now that it is free", func() bool {
		return strings.HasPrefix(m.property(t, "moatd", "StatusText"), "serving 1 runs on 127.0.0.1:19080")
	})
	m.works(t, r, "once the port was free")
	m.systemctl(t, "stop", "moatd.service")
	m.recovers(t) // with the port in systemd's hands again
	if got := m.property(t, "moatd-proxy.socket", "ActiveState"); got != "active" {
		t.Errorf("moatd-proxy.socket is %s, want active", got)
	}
}
