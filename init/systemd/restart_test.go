//go:build e2e

package systemd_test

import (
	"fmt"
	"testing"
)

// rounds is how often the daemon is killed, and how often it is restarted.
const rounds = 20

func (m machine) testKill(t *testing.T) {
	r := m.register(t, "run_kill")
	end := m.load(t)
	before := m.pid(t)
	for i := range rounds {
		m.systemctl(t, "kill", "--signal", "KILL", "moatd")
		m.works(t, r, fmt.Sprintf("after kill -9 number %d", i+1))
		after := m.pid(t)
		if after == before {
			t.Errorf("kill -9 number %d: pid is still %d", i+1, before)
		}
		before = after
	}
	refusedNothing(t, end())
}

// testRestart is stricter than testKill: a daemon that is told to end serves
// everyone that it has accepted.
func (m machine) testRestart(t *testing.T) {
	r := m.register(t, "run_restart")
	end := m.load(t)
	for i := range rounds {
		if i == rounds/2 { // an upgrade: another file under the same name
			m.asRoot(t, "sh", "-ec", "cp /usr/bin/moatd /usr/bin/moatd.new; mv /usr/bin/moatd.new /usr/bin/moatd")
		}
		m.systemctl(t, "restart", "moatd")
		m.works(t, r, fmt.Sprintf("after restart number %d", i+1))
	}
	got := end()
	refusedNothing(t, got)
	for socket, c := range got {
		if c.Reset != 0 {
			t.Errorf("new connections to the %s: %d were reset by a restart, want none", socket, c.Reset)
		}
	}
}

// refusedNothing allows resets: SIGKILL takes along what was accepted already.
func refusedNothing(t *testing.T, got map[string]counts) {
	t.Helper()
	for _, socket := range []string{"api", "proxy"} {
		c := got[socket]
		t.Logf("%s: %+v", socket, c)
		if c.OK < 100 || c.Refused != 0 || c.Other != 0 {
			t.Errorf("new connections to the %s: %+v, want some hundred ok and none refused or other", socket, c)
		}
	}
}

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
