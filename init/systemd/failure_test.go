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

// A client that waits would start it again and again; systemd's limit on triggers
// ends that, at the price of the socket.
func (m machine) testPermanentFailure(t *testing.T) {
	remove := m.dropIn(t, "ExecStart=\nExecStart=/bin/sh -c 'exit 78'\n")
	m.systemctl(t, "stop", "moatd")
	got := m.tryAsUser("curl", "-sS", "--max-time", "10", "--unix-socket", socketPath, "http://moatd/v1/health")
	if got.code == 0 {
		t.Errorf("health from a daemon that exits 78: %s", got.stdout)
	}
	for unit, want := range map[string]string{"moatd.service": "exit-code", "moatd.socket": "trigger-limit-hit"} {
		if got := m.property(t, unit, "Result"); got != want {
			t.Errorf("result of %s: %s, want %s", unit, got, want)
		}
	}
	remove()
	eventually(t, "an answer, the cause mended", func() bool { // 257 still counts triggers of the last 2 s
		m.systemctl(t, "reset-failed", "moatd.service", "moatd.socket", "moatd-proxy.socket")
		m.systemctl(t, "start", "moatd.socket", "moatd-proxy.socket")
		return m.tryAsUser("curl", "-sS", "--unix-socket", socketPath, "http://moatd/v1/health").code == 0
	})
}
