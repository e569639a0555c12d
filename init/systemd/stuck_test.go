//go:build e2e

package systemd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// testStuck has a daemon whose process lives and works, but for one part.
func (m machine) testStuck(t *testing.T) {
	for part, cause := range map[string]string{
		"api":      "the API does not answer",
		"proxy":    "the proxy on 127.0.0.1:19080 does not answer",
		"routing":  "the routes on 127.0.0.1:8080 are not answered",
		"database": "the database does not answer",
	} {
		t.Run(part, func(t *testing.T) { m.stuck(t, part, cause) })
	}
	m.systemctl(t, "restart", "moatd") // without the drop-ins
}

// watchdogTime is WatchdogSec= of these tests. It takes as long, a restart and
// what a busy machine adds.
const watchdogTime = 3 * time.Second

func (m machine) stuck(t *testing.T, part, cause string) {
	t.Helper()
	remove := m.dropIn(t, fmt.Sprintf("WatchdogSec=%d\nExecStart=\nExecStart=/usr/local/bin/stuck %s\n", watchdogTime/time.Second, part))
	defer remove()
	m.systemctl(t, "start", "moatd-routing.socket")
	m.systemctl(t, "restart", "moatd")
	r, before, since := m.register(t, "run_stuck"), m.mainPID(t), m.asUser(t, "date", "+%F %T.%N")
	m.works(t, r, "before")

	start := time.Now()
	m.systemctl(t, "kill", "--signal", "USR1", "moatd")
	if part == "database" { // which hangs in a commit: there has to be one
		m.tryAsUser("curl", "-sS", "--max-time", "1", "--unix-socket", socketPath, "-d", `{"run_id": "never"}`, "http://moatd/v1/runs")
	} else { // a loop hangs with the connection that it accepts: this wakes it, or a check does
		m.tryAsUser("curl", "-sS", "--max-time", "0.2", "http://127.0.0.1:19080/")
	}
	status := ""
	eventually(t, "another daemon", func() bool {
		if now := m.property(t, "moatd", "StatusText"); strings.HasPrefix(now, "unhealthy: ") {
			status = now
		}
		now := m.mainPID(t)
		return now != before && now != "0"
	})
	took := time.Since(start)
	m.works(t, r, "after the restart, with the old token")
	t.Logf("%s: killed and replaced %v after it hung, status before: %q", part, took.Round(10*time.Millisecond), status)
	if took > 2*watchdogTime+2*time.Second {
		t.Errorf("replaced after %v, want within the watchdog's %v and what a check and a start take", took, watchdogTime)
	}
	if !strings.Contains(status, cause) {
		t.Errorf("status while it hung: %q, want %q in it", status, cause)
	}
	m.inJournal(t, since, "_PID="+before, "moatd is stuck", cause, "\ngoroutine 1 ")
	m.inJournal(t, since, "--unit=moatd", "Watchdog timeout")
	if pid := m.mainPID(t); strings.Contains(m.asRoot(t, "readlink", "/proc/"+pid+"/exe"), "/usr/bin/moatd") {
		t.Errorf("the daemon is moatd itself; so this was no test")
	}
}

// inJournal waits until the entries since a time that match have all the words.
func (m machine) inJournal(t *testing.T, since, match string, words ...string) {
	t.Helper()
	for _, word := range words {
		eventually(t, fmt.Sprintf("%q in the journal", word), func() bool {
			return strings.Contains(m.asUser(t, "journalctl", "--user", "--quiet", "--no-pager", "--output", "cat", "--since", since, match), word)
		})
	}
}
