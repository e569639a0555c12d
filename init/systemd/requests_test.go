//go:build e2e

package systemd_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func (m machine) testRequests(t *testing.T) {
	r := m.register(t, "run_requests")
	m.works(t, r, "after it was registered")
	if got := m.fetch(r, "/by-run"); got.code != 0 {
		t.Errorf("GET /by-run: exit %d: %s", got.code, got.stderr)
	}
	m.asUser(t, "moat", "run", "--grant", "demo", "--policy", "strict", "--allow", "localhost:8443", "--",
		"curl", "-sS", "--fail", "https://localhost:8443/by-cli")
	for _, path := range []string{"/by-run", "/by-cli"} {
		want := sight{"GET", path, "Bearer " + secret}
		if got := m.seen(t, path); len(got) != 1 || got[0] != want {
			t.Errorf("the origin saw at %s: %+v, want one %+v", path, got, want)
		}
	}
	if list := m.asUser(t, "moat", "ls", "--json"); !strings.Contains(list, r.id) {
		t.Errorf("moat ls --json: %s, want %s in it", list, r.id)
	}
}

func (m machine) testJournal(t *testing.T) {
	r, other := m.register(t, "run_journal"), m.register(t, "run_other")
	m.works(t, r, "after it was registered")
	m.works(t, other, "after it was registered")
	for _, id := range []string{r.id, other.id} {
		eventually(t, "a line about the request of "+id, func() bool {
			return strings.Contains(m.journal(t, "MOAT_RUN_ID="+id), "localhost:8443")
		})
	}
	if lines := m.journal(t, "MOAT_RUN_ID="+r.id); strings.Contains(lines, other.id) {
		t.Errorf("journalctl MOAT_RUN_ID=%s: %s\nwant no line of %s", r.id, lines, other.id)
	}
}

func (m machine) testReload(t *testing.T) {
	r, pid := m.register(t, "run_reload"), m.pid(t)
	m.write(t, "/home/moat/.moat/providers/late.yaml", strings.ReplaceAll(provider, "demo", "late"))
	m.systemctl(t, "reload", "moatd")
	eventually(t, "the reload in the journal", func() bool {
		return strings.Contains(m.journal(t, "_PID="+strconv.Itoa(pid)), "reloaded")
	})
	m.works(t, r, "after a reload")
	if got := m.pid(t); got != pid {
		t.Errorf("pid after a reload: %d, want %d as before", got, pid)
	}
	if state := m.property(t, "moatd", "ActiveState"); state != "active" {
		t.Errorf("after a reload the service is %s, want active", state)
	}
}

// testLongDrain has a drain limit that is longer than the unit's time to stop.
func (m machine) testLongDrain(t *testing.T) {
	defer m.dropIn(t, "TimeoutStopSec=1\nEnvironment=MOAT_DRAIN_LIMIT=20s\n")()
	m.systemctl(t, "restart", "moatd")
	m.drains(t)
}

func (m machine) testStopDrains(t *testing.T) { m.drains(t) }

// drains stops the daemon with a request in flight.
func (m machine) drains(t *testing.T) {
	t.Helper()
	before := len(m.seen(t, "/slow"))
	r := m.register(t, "run_drain")
	answer := make(chan result, 1)
	go func() { answer <- m.fetch(r, "/slow") }()
	eventually(t, "the slow request at the origin", func() bool { return len(m.seen(t, "/slow")) > before })
	start := time.Now()
	m.systemctl(t, "stop", "--no-block", "moatd")
	eventually(t, "a status that counts what is open", func() bool {
		return strings.Contains(m.property(t, "moatd", "StatusText"), "draining 1 connections of 1 runs")
	})
	m.systemctl(t, "stop", "moatd")
	took := time.Since(start)

	got := <-answer
	if got.code != 0 || !strings.HasSuffix(got.stdout, "line 6\n") {
		t.Errorf("request in flight: exit %d, %q: %s; want six lines", got.code, got.stdout, got.stderr)
	}
	if result := m.property(t, "moatd", "Result"); result != "success" || took > 15*time.Second {
		t.Errorf("stop: result %s after %v, want success soon after the answer ended", result, took)
	}
	m.works(t, r, "after a stop, over a socket that still listens")
}
