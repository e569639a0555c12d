//go:build e2e

package systemd_test

import (
	"strings"
	"testing"
	"time"
)

// fresh are the states after an installation, enabled and active or not: a service
// without WantedBy that has Also is "indirect".
const fresh = "enabled/active enabled/active enabled/active indirect/inactive"

// As in a chroot, where images are built: there is no /run/systemd/system.
func (m machine) testPackageOffline(t *testing.T) {
	const alone = `mount -t tmpfs tmpfs /run && apt-get --yes --quiet "$@"`
	offline := func(args ...string) {
		m.asRoot(t, append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "unshare", "--mount", "sh", "-ec", alone, "sh"}, args...)...)
	}
	offline("install", "/root/old.deb")
	links := m.asRoot(t, "ls", "/etc/systemd/user/sockets.target.wants")
	for _, want := range []string{"moatd.socket", "moatd-proxy.socket", "moatd-routing.socket"} {
		if !strings.Contains("\n"+links+"\n", "\n"+want+"\n") {
			t.Errorf("enabled without systemd: %q, want %s among them", links, want)
		}
	}
	offline("purge", "moatd")
}

func (m machine) testPackageSockets(t *testing.T) {
	m.wantStates(t, "after the installation", fresh)
	if got := m.tryAsUser("moat", "status"); got.code != 3 || !strings.Contains(got.stdout, "not running") {
		t.Errorf("moat status: exit %d, %q; want 3 and that it does not run", got.code, got.stdout+got.stderr)
	}
	m.wantStates(t, "after moat status", fresh)
	if got := m.tryAsUser("systemd-analyze", "--user", "verify", "moatd.service", "moatd.socket", "moatd-proxy.socket", "moatd-routing.socket"); got != (result{}) {
		t.Errorf("systemd-analyze verify: %+v, want silence", got)
	}
}

// A display manager is such an account, and there before any person is.
func (m machine) testPackagePeople(t *testing.T) {
	m.asRoot(t, "useradd", "--system", "--create-home", "display")
	defer m.asRoot(t, "userdel", "--remove", "display")
	unit := "user@" + m.asRoot(t, "id", "-u", "display") + ".service"
	m.asRoot(t, "systemctl", "start", unit)
	defer m.asRoot(t, "systemctl", "stop", unit)
	ask := []string{"systemctl", "--user", "--machine=display@", "show", "--property=LoadState,ActiveState,ConditionResult", "moatd-proxy.socket"}
	if got, want := m.asRoot(t, ask...), "LoadState=loaded\nActiveState=inactive\nConditionResult=no"; got != want {
		t.Errorf("the proxy's socket of an account of the system: %q, want %q", got, want)
	}
}

func (m machine) testPackageWorks(t *testing.T) {
	m.pipeAsUser(t, secret, "moat", "grant", "demo")
	r := m.register(t, "run_installed")
	m.works(t, r, "after the installation")
	m.asRoot(t, "bash", "-n", "/usr/share/bash-completion/completions/moat")
}

// starts is what systemd says of a unit that has been started.
const starts = "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf"

// testPackageUpgrade also has what belongs to the user and to the administrator:
// neither a drop-in nor a mask is touched.
func (m machine) testPackageUpgrade(t *testing.T) {
	m.dropIn(t, "Environment=MOAT_DRAIN_LIMIT=20s\n")
	m.systemctl(t, "--quiet", "mask", "--now", "moatd-routing.socket")
	r, other := m.register(t, "run_upgrade"), m.register(t, "run_other")
	before, started := m.property(t, "moatd", "MainPID"), strings.Count(m.journal(t, starts), "Started ")
	begin := time.Now()
	l := m.load(t, r)
	m.apt(t, "install", "/root/new.deb")
	m.works(t, r, "after the upgrade")
	m.works(t, other, "after the upgrade")
	got := l.end()
	m.held(t, got, time.Since(begin))
	for socket, c := range got {
		if c.Reset != 0 {
			t.Errorf("new connections to the %s: %d were reset by the upgrade, want none", socket, c.Reset)
		}
	}

	var health struct {
		Version  string
		RunCount int `json:"run_count"`
	}
	decode(t, m.call(t, "GET", "/v1/health", "", "200"), &health)
	installed := m.asRoot(t, "dpkg-query", "--show", "--showformat", "${source:Upstream-Version}", "moatd")
	version := strings.ReplaceAll(installed, "~", "-")
	if !strings.HasSuffix(version, "+2.g0000002") || health.Version != version || health.RunCount != 2 {
		t.Errorf("health after the upgrade: %+v, want version %s and two runs", health, version)
	}
	if after := m.property(t, "moatd", "MainPID"); after == before {
		t.Errorf("the daemon is still process %s", before)
	}
	if n := strings.Count(m.journal(t, starts), "Started ") - started; n != 1 {
		t.Errorf("the journal tells of %d starts during the upgrade, want one", n)
	}
	m.wantStates(t, "after the upgrade", "enabled/active enabled/active masked/inactive indirect/active")
	if env := m.property(t, "moatd", "Environment"); env != "MOAT_DRAIN_LIMIT=20s" {
		t.Errorf("environment of the service: %q, want the user's drop-in to count", env)
	}
	m.systemctl(t, "--quiet", "unmask", "moatd-routing.socket")
	m.asRoot(t, "systemctl", "--quiet", "--global", "disable", "moatd-routing.socket")
}

// Here it is a downgrade, which to the scripts is the same.
func (m machine) testPackageStarts(t *testing.T) {
	m.systemctl(t, "stop", "moatd.service")
	m.apt(t, "install", "/root/old.deb")
	m.wantStates(t, "after an upgrade of a daemon that did not run, with a socket disabled for all",
		"enabled/active enabled/active disabled/inactive indirect/inactive")
}

func (m machine) testPackageRemove(t *testing.T) {
	m.pid(t) // starts it
	m.apt(t, "remove", "moatd")
	if left := m.systemctl(t, "list-units", "--all", "--state=loaded,active,failed", "--plain", "--no-legend", "moatd*"); left != "" {
		t.Errorf("units after the removal: %s, want none", left)
	}
	if left := m.asRoot(t, "sh", "-c", "pgrep -x moatd; ls -d /run/user/1000/moat/* /usr/bin/moat* /usr/lib/systemd/user/moat* 2>/dev/null; true"); left != "" {
		t.Errorf("left after the removal: %s", left)
	}
	if free := m.tryAsUser("curl", "-sS", "--noproxy", "*", "http://127.0.0.1:19080/"); free.code != 7 {
		t.Errorf("connecting to the proxy's port: exit %d: %s; want 7, refused", free.code, free.stderr)
	}
}

func (m machine) testPackageAgain(t *testing.T) {
	m.apt(t, "install", "/root/new.deb")
	m.wantStates(t, "installed again, with a socket disabled for all", "enabled/active enabled/active disabled/inactive indirect/inactive")
	m.works(t, m.register(t, "run_again"), "installed again, with the old credential")
}
