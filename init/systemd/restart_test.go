//go:build e2e

package systemd_test

import (
	"fmt"
	"testing"
	"time"
)

// rounds is how often the daemon is killed, and how often it is restarted.
const rounds = 50

func (m machine) testKill(t *testing.T) {
	r, start := m.register(t, "run_kill"), time.Now()
	l := m.load(t, r)
	before := m.mainPID(t)
	for i := range rounds {
		l.say("kill " + before)
		m.works(t, r, fmt.Sprintf("after kill -9 number %d", i+1))
		after := m.mainPID(t)
		if after == before {
			t.Errorf("kill -9 number %d: pid is still %s", i+1, before)
		}
		before = after
	}
	m.held(t, l.end(), time.Since(start))
}

// testRestart is stricter than testKill: a daemon that is told to end serves
// everyone that it has accepted.
func (m machine) testRestart(t *testing.T) {
	r, start := m.register(t, "run_restart"), time.Now()
	l := m.load(t, r)
	for i := range rounds {
		if i == rounds/2 {
			m.upgrade(t)
		}
		l.say("restart")
		m.systemctl(t, "restart", "moatd")
		m.works(t, r, fmt.Sprintf("after restart number %d", i+1))
	}
	got := l.end()
	m.held(t, got, time.Since(start))
	for socket, c := range got {
		if c.Reset != 0 {
			t.Errorf("new connections to the %s: %d were reset by a restart, want none", socket, c.Reset)
		}
	}
}

// held checks that nothing was refused, and that nothing failed but what was in
// flight at a kill -9, which takes along what was accepted already.
func (machine) held(t *testing.T, got map[string]counts, took time.Duration) {
	t.Helper()
	for socket, c := range got {
		perSecond := map[string]int{"api": 20, "proxy": 100}[socket]
		t.Logf("%s, in %v: %d ok, %d refused, %d reset in flight, %d other, %d late; answered after %d ms (p50), %d ms (p99), %d ms at most",
			socket, took.Round(time.Second), c.OK, c.Refused, c.Reset, c.Other, c.Late, c.P50MS, c.P99MS, c.MaxMS)
		if c.Refused != 0 || c.Other != 0 || c.Late != 0 {
			t.Errorf("new connections to the %s: %+v, want none refused, other or late", socket, c)
		}
		if want := int(took.Seconds()) * perSecond * 8 / 10; c.OK < want {
			t.Errorf("new connections to the %s: %d were answered, want at least %d", socket, c.OK, want)
		}
	}
}

// mainPID returns the daemon's, as systemd has it.
func (m machine) mainPID(t *testing.T) string { t.Helper(); return m.property(t, "moatd", "MainPID") }

func (m machine) testReboot(t *testing.T) { m.afterBoot(t, "reboot") }

func (m machine) testPlugPulled(t *testing.T) { m.afterBoot(t, "reboot", "--hard") }

func (m machine) afterBoot(t *testing.T, how ...string) {
	t.Helper()
	r := m.register(t, "run_reboot")
	must(t, m.box(how...), how)
	for unit, want := range map[string]string{
		"moatd.socket": "active", "moatd-proxy.socket": "active", "moatd.service": "inactive",
	} {
		if got := m.property(t, unit, "ActiveState"); got != want {
			t.Errorf("after a boot %s is %s, want %s", unit, got, want)
		}
	}
	m.works(t, r, "after a boot, with the old token")
}
