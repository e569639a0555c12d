//go:build e2e

package systemd_test

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	initfiles "github.com/moatd/moatd/init"
)

// TestInstall has moatd install itself, as a plain user, in a machine of its own.
// What comes last makes the machine another one.
func TestInstall(t *testing.T) {
	m := boot(t)
	m.pushPrograms(t)
	t.Run("install, use, uninstall", m.testServiceLife)
	t.Run("all of it again", m.testServiceLife)
	t.Run("over what a failed installation left", m.testFailedInstalls)
	t.Run("over one under a client loop", m.testReinstall)
	t.Run("an address that is not there yet", m.testListenAhead)
	t.Run("containers behind Docker's bridge reach the proxy", m.testDocker)
	t.Run("the sandbox confines", m.testSandbox)
	t.Run("without the variables of a session", m.testBareEnvironment)
	t.Run("the user's own changes stay", m.testOwnChanges)
	t.Run("lingering", m.testLinger)
	t.Run("a journal that its user cannot read", m.testVolatileJournal)
	t.Run("the units of a package", m.testPackagedUnits)
	t.Run("purge", m.testPurge)
	t.Run("a daemon that was started by hand", m.testTakeOver)
	t.Run("the service of the whole machine", m.testSystemService)
}

const (
	userUnits = "/home/moat/.config/systemd/user/"
	origin    = "/usr/local/bin/"
)

// pushPrograms puts moat and moatd where a user without a package has them.
func (m machine) pushPrograms(t *testing.T) {
	t.Helper()
	bin := build(t)
	for _, name := range []string{"moat", "moatd", "boxload"} {
		m.push(t, filepath.Join(bin, name), origin+name)
	}
}

// files returns what is in the home of the user but the state, and in the
// directories of units.
func (m machine) files(t *testing.T) string {
	t.Helper()
	return m.asRoot(t, "sh", "-c", `find /home/moat /etc/systemd /usr/lib/systemd/user /usr/lib/systemd/system /var/lib/moat \
		-path /home/moat/.moat -prune -o \( -type f -o -type l \) \( -path '/home/*' -o -name '*moat*' \) -print 2>/dev/null | sort`)
}

// says fails t unless a command of the user ends with a code and prints a text.
func (m machine) says(t *testing.T, code int, text string, args ...string) string {
	t.Helper()
	got := m.tryAsUser(args...)
	if all := got.stdout + got.stderr; got.code != code || !strings.Contains(all, text) {
		t.Errorf("%s: exit %d: %s\nwant exit %d and %q", strings.Join(args, " "), got.code, all, code, text)
	}
	return got.stdout
}

// installed installs, and uninstalls when t is over.
func (m machine) installed(t *testing.T, flags ...string) {
	t.Helper()
	m.asUser(t, append([]string{"moat", "daemon", "install"}, flags...)...)
	t.Cleanup(func() { m.asUser(t, "moat", "daemon", "uninstall") })
}

func (m machine) testServiceLife(t *testing.T) {
	before := m.files(t)
	m.says(t, 4, "not installed", "moat", "daemon", "status")
	m.says(t, 0, "moatd: installed", "moat", "daemon", "install")
	if state := m.property(t, "moatd.service", "ActiveState"); state != "inactive" {
		t.Errorf("after the installation the service is %s, want inactive until somebody calls", state)
	}
	m.says(t, 3, "the next connection starts it", "moat", "status")
	if state := m.property(t, "moatd.service", "ActiveState"); state != "inactive" {
		t.Errorf("after moat status the service is %s, want that it starts none", state)
	}
	verify := append([]string{"systemd-analyze", "--user", "verify"}, initfiles.UnitNames()...)
	if got := m.tryAsUser(verify...); got != (result{}) {
		t.Errorf("systemd-analyze verify: exit %d, printed %q; want silence", got.code, got.stdout+got.stderr)
	}
	m.says(t, 0, "no runs", "moat", "ls")
	m.says(t, 0, "moatd: restarted, process ", "moat", "daemon", "restart")
	m.says(t, 0, "moatd: reloaded", "moat", "daemon", "reload")
	m.says(t, 0, "moatd runs", "moat", "status")
	m.says(t, 0, "moatd is ready", "moat", "daemon", "logs")
	m.testStatusJSON(t)
	m.says(t, 0, "moatd: stopped", "moat", "daemon", "stop")
	m.says(t, 1, "moatd is not running", "moat", "ls")
	m.says(t, 0, "moatd: started, process ", "moat", "daemon", "start")
	m.says(t, 0, "moatd: disabled", "moat", "daemon", "disable")
	m.says(t, 0, "does not listen; moat daemon enable", "moat", "daemon", "status")
	m.says(t, 0, "moatd: enabled", "moat", "daemon", "enable")
	m.says(t, 0, "removed "+userUnits+"moatd.service", "moat", "daemon", "uninstall")
	if after := m.files(t); after != before {
		t.Errorf("files before:\n%s\nand after it was uninstalled:\n%s", before, after)
	}
	if left := m.systemctl(t, "list-units", "--all", "--no-legend", "--plain", "moatd*"); left != "" {
		t.Errorf("systemd still has %q", left)
	}
	m.says(t, 0, "moatd.db", "ls", "/home/moat/.moat")
}

func (m machine) testStatusJSON(t *testing.T) {
	t.Helper()
	var got struct {
		Running bool
		PID     int
		Service struct {
			Supervisor, State, Exe string
			PID                    int
			Installed, Enabled     bool
			Changed                bool
			Drift                  []string
			Sockets                []struct {
				Name, State string
				Listen      []string
			}
		}
	}
	decode(t, m.asUser(t, "moat", "daemon", "status", "--json"), &got)
	s := got.Service
	if !got.Running || got.PID != s.PID || s.State != "active" || !s.Installed || !s.Enabled || s.Changed || s.Drift != nil || s.Exe != origin+"moatd" || len(s.Sockets) != 3 {
		t.Errorf("moat daemon status --json: %+v, want a service in order", got)
	}
}

func (m machine) testFailedInstalls(t *testing.T) {
	for _, tt := range []struct{ name, before string }{
		{"a unit of no bytes", `mkdir -p "$0" && : >"$0/moatd.service"`},
		{"a unit of no bytes that systemd has read", `mkdir -p "$0" && : >"$0/moatd.service" && : >"$0/moatd.socket" && systemctl --user daemon-reload`},
		{"half of the sockets", `moat daemon install && systemctl --user stop moatd-proxy.socket && rm "$0/moatd-proxy.socket" && systemctl --user daemon-reload`},
		{"half of the sockets, and a daemon that runs", `moat daemon install && moat daemon start && systemctl --user stop moatd-proxy.socket && rm "$0/moatd-proxy.socket"`},
		{"an older text", `moat daemon install && sed -i 's/19080/19081/; s/WatchdogSec=30/WatchdogSec=40/' "$0"/moatd*.socket "$0/moatd.service"`},
		{"a service that failed too often", `moat daemon install && mkdir -p "$0/moatd.service.d" &&
			printf '[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=2\n[Service]\nExecStart=\nExecStart=/bin/false\n' >"$0/moatd.service.d/50-sandbox.conf" &&
			systemctl --user daemon-reload; for i in 1 2 3; do curl -s --unix-socket /run/user/1000/moat/moatd.sock http://moatd/; done; sleep 1; systemctl --user is-failed moatd.service`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := m.files(t)
			if got := m.tryAsUser("sh", "-c", tt.before, strings.TrimSuffix(userUnits, "/")); got.code != 0 {
				t.Fatalf("prepare: exit %d: %s%s", got.code, got.stdout, got.stderr)
			}
			m.says(t, 0, "moatd: installed", "moat", "daemon", "install")
			m.says(t, 0, "moatd: started, process ", "moat", "daemon", "start")
			m.says(t, 0, "no runs", "moat", "ls")
			m.testStatusJSON(t)
			m.asUser(t, "moat", "daemon", "uninstall")
			if after := m.files(t); after != before {
				t.Errorf("files before:\n%s\nand after:\n%s", before, after)
			}
		})
	}
}

func (m machine) testReinstall(t *testing.T) {
	m.installed(t)
	m.asUser(t, "moat", "daemon", "start")
	l := m.load(t, run{})
	first := m.property(t, "moatd.service", "MainPID")
	for range 5 {
		m.asUser(t, "moat", "daemon", "install")
	}
	if pid := m.property(t, "moatd.service", "MainPID"); pid != first {
		t.Errorf("the same installation again: process %s, want %s as before", pid, first)
	}
	m.asRoot(t, "touch", origin+"moatd") // another executable
	m.asUser(t, "moat", "daemon", "install")
	if pid := m.property(t, "moatd.service", "MainPID"); pid == first {
		t.Errorf("the executable has changed, and process %s has stayed", pid)
	}
	m.asUser(t, "moat", "daemon", "install", "--sandbox", "off")
	m.asUser(t, "moat", "daemon", "install", "--sandbox", "on")
	for name, c := range l.end() {
		t.Logf("%s: %+v", name, c)
		if c.Refused+c.Reset+c.Other > 0 || c.OK == 0 {
			t.Errorf("%s: %+v, want all of them answered", name, c)
		}
	}
}

// Docker's bridge comes after the sockets at boot.
func (m machine) testListenAhead(t *testing.T) {
	m.installed(t, "--listen", "10.99.0.1:19080")
	m.asUser(t, "moat", "daemon", "start")
	m.address(t, "10.99.0.1/32")
	m.says(t, 0, "407", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "http://10.99.0.1:19080/")
	m.says(t, 1, "name the address of the bridge", "moat", "daemon", "install", "--listen", "0.0.0.0:19080")
	m.says(t, 1, "docker network inspect bridge", "moat", "daemon", "install", "--docker")
	m.says(t, 0, "still listens on [10.99.0.1:19080]", "moat", "daemon", "install")
	m.asUser(t, "moat", "daemon", "install", "--listen", "none")
	m.says(t, 7, "000", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "http://10.99.0.1:19080/")
}

// address gives the machine an address.
func (m machine) address(t *testing.T, addr string) {
	t.Helper()
	m.ip(t, "addr", "add", addr, "dev", "lo")
	t.Cleanup(func() { m.ip(t, "addr", "del", addr, "dev", "lo") })
}

// ip changes the machine's network, with the host's command: it has none.
func (m machine) ip(t *testing.T, args ...string) {
	t.Helper()
	leader, err := os.ReadFile("/run/moatd-box/" + cmp.Or(os.Getenv("MOATD_BOX_NAME"), "e2e") + "/leader")
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-t", strings.TrimSpace(string(leader)), "-n", "ip"}, args...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		t.Fatalf("nsenter %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (m machine) testDocker(t *testing.T) {
	m.ip(t, "link", "add", "docker0", "type", "bridge")
	t.Cleanup(func() { m.ip(t, "link", "del", "docker0") })
	m.ip(t, "addr", "add", "172.17.0.1/16", "dev", "docker0")
	m.ip(t, "link", "set", "docker0", "up")
	m.installed(t, "--docker")
	for _, addr := range []string{"172.17.0.1", "127.0.0.1"} {
		m.says(t, 0, "407", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "http://"+addr+":19080/")
	}
	m.says(t, 0, "172.17.0.1:19080", "moat", "daemon", "status")
}

func (m machine) testSandbox(t *testing.T) {
	m.installed(t, "--sandbox", "on")
	m.asUser(t, "moat", "daemon", "start")
	pid := m.property(t, "moatd.service", "MainPID")
	m.asRoot(t, "nsenter", "-t", pid, "-m", "sh", "-c", "! touch /home/moat/x && ! touch /etc/x && touch /home/moat/.moat/x && rm /home/moat/.moat/x")

	// Elsewhere user namespaces are forbidden.
	const forbid = "/run/systemd/system/user@1000.service.d/forbid.conf"
	m.push(t, save(t, []byte("[Service]\nRestrictNamespaces=yes\n")), forbid)
	t.Cleanup(func() {
		m.asRoot(t, "rm", forbid)
		m.asRoot(t, "sh", "-c", "systemctl daemon-reload; systemctl restart user@1000.service")
	})
	m.asRoot(t, "sh", "-c", "systemctl daemon-reload; systemctl restart user@1000.service")
	m.says(t, 1, "the sandbox does not work here", "moat", "daemon", "install", "--sandbox", "on")
	m.says(t, 0, "note: without the sandbox of namespaces, which does not work here", "moat", "daemon", "install")
	m.says(t, 0, "moatd: restarted", "moat", "daemon", "restart")
}

func (m machine) testBareEnvironment(t *testing.T) {
	bare := []string{"env", "-u", "XDG_RUNTIME_DIR", "-u", "DBUS_SESSION_BUS_ADDRESS"}
	before := m.files(t)
	for _, verb := range []string{"install", "start", "restart", "status", "logs", "stop", "uninstall"} {
		m.says(t, 0, "", append(bare, "moat", "daemon", verb)...)
	}
	m.asUser(t, "env", "XDG_CONFIG_HOME=/home/moat/elsewhere", "moat", "daemon", "install")
	m.says(t, 0, "moatd: started", "moat", "daemon", "start")
	m.asUser(t, "env", "XDG_CONFIG_HOME=/home/moat/elsewhere", "moat", "daemon", "uninstall")
	if after := m.files(t); after != before {
		t.Errorf("files before:\n%s\nand after:\n%s", before, after)
	}
	m.says(t, 1, "is no directory of this user", "env", "XDG_RUNTIME_DIR=/run", "moat", "daemon", "install")
}

func (m machine) testOwnChanges(t *testing.T) {
	own := userUnits + "moatd.service.d/override.conf"
	m.write(t, own, "[Service]\nNice=5\n")
	t.Cleanup(func() { m.asUser(t, "rm", "-r", "/home/moat/.config/systemd") })
	m.asUser(t, "moat", "daemon", "install")
	m.says(t, 0, "moatd: started", "moat", "daemon", "start")
	if nice := m.property(t, "moatd.service", "Nice"); nice != "5" {
		t.Errorf("Nice=%s, want 5, as the user wants", nice)
	}
	m.says(t, 0, "changed by", "moat", "daemon", "status")
	m.says(t, 0, "left "+own, "moat", "daemon", "uninstall")
	m.asUser(t, "test", "-f", own)
	m.asUser(t, "ln", "-sf", "/dev/null", userUnits+"moatd.socket")
	m.systemctl(t, "daemon-reload")
	m.says(t, 1, "systemctl --user unmask moatd.socket", "moat", "daemon", "install")
	m.systemctl(t, "unmask", "--quiet", "moatd.socket")
}

func (m machine) testLinger(t *testing.T) {
	m.installed(t)
	m.says(t, 3, "runs", "moat", "daemon", "status")
	m.asRoot(t, "rm", "/var/lib/systemd/linger/moat")
	m.says(t, 3, "ends with the last session; moat daemon install --linger", "moat", "daemon", "status")
	got := m.tryAsUser("moat", "daemon", "install", "--linger")
	if got.code == 0 { // polkit lets users do so in a session
		m.asRoot(t, "test", "-e", "/var/lib/systemd/linger/moat")
	} else if !strings.Contains(got.stderr, "hint: sudo loginctl enable-linger moat") {
		t.Errorf("install --linger: exit %d: %s, want what to do", got.code, got.stderr)
	}
	m.asRoot(t, "touch", "/var/lib/systemd/linger/moat")
}

func (m machine) testVolatileJournal(t *testing.T) {
	m.installed(t)
	m.asUser(t, "moat", "daemon", "start")
	m.asRoot(t, "sh", "-c", "rm -rf /var/log/journal; rm -rf /run/log/journal; systemctl restart systemd-journald")
	t.Cleanup(func() {
		m.asRoot(t, "sh", "-c", "mkdir -p /var/log/journal; systemctl restart systemd-journald; journalctl --flush")
	})
	m.asUser(t, "moat", "daemon", "restart")
	m.says(t, 0, "info moatd is ready", "moat", "daemon", "logs")
	m.asUser(t, "moat", "run", "--name", "run_seen", "--", "true")
	out := m.says(t, 0, "run removed", "moat", "daemon", "logs", "--run", "run_seen", "--json", "-n", "1")
	if !json.Valid([]byte(out)) {
		t.Errorf("moat daemon logs --json: %q is no JSON", out)
	}
	m.asUser(t, "systemctl", "--user", "stop", "moatd.service")
	m.says(t, 1, "sudo mkdir /var/log/journal", "moat", "daemon", "logs")
	if state := m.property(t, "moatd.service", "ActiveState"); state != "inactive" {
		t.Errorf("after moat daemon logs the service is %s, want that it starts none", state)
	}
}

func (m machine) testPackagedUnits(t *testing.T) {
	m.asUser(t, "moat", "daemon", "install")
	m.asRoot(t, "sh", "-c", "cp /usr/local/bin/moat /usr/local/bin/moatd /usr/bin/")
	for _, name := range initfiles.UnitNames() {
		text, err := initfiles.Unit(name, "/usr/bin/moatd")
		if err != nil {
			t.Fatal(err)
		}
		m.push(t, save(t, []byte(text)), unitDir+name)
	}
	t.Cleanup(func() {
		m.asRoot(t, "sh", "-c", "rm /usr/bin/moat /usr/bin/moatd "+unitDir+"moatd*")
		m.systemctl(t, "daemon-reload")
	})
	m.says(t, 0, "which hid the unit of the package", "/usr/bin/moat", "daemon", "install")
	m.says(t, 0, "moatd: enabled, as packaged", "/usr/bin/moat", "daemon", "install")
	m.says(t, 0, "moatd: started", "moat", "daemon", "start")
	m.says(t, 0, "by a package, starts /usr/bin/moatd", "moat", "daemon", "status")
	if copies := m.asUser(t, "find", userUnits, "-maxdepth", "1", "-type", "f"); copies != "" {
		t.Errorf("copies that hide the package's units: %s", copies)
	}
	m.says(t, 0, "the units of the package stay", "moat", "daemon", "uninstall")
	m.asRoot(t, "test", "-f", unitDir+"moatd.socket")
	if state := m.property(t, "moatd.socket", "UnitFileState"); state != "disabled" {
		t.Errorf("after uninstall the package's socket is %s, want disabled", state)
	}
}

func (m machine) testPurge(t *testing.T) {
	m.asUser(t, "moat", "daemon", "install")
	m.says(t, 2, "add --yes", "moat", "daemon", "uninstall", "--purge")
	m.says(t, 1, "1 run is registered", "moat", "run", "--", "moat", "daemon", "uninstall", "--purge", "--yes")
	m.says(t, 0, "removed /home/moat/.moat", "moat", "daemon", "uninstall", "--purge", "--yes")
	m.asUser(t, "test", "!", "-e", "/home/moat/.moat")
}

func (m machine) testTakeOver(t *testing.T) {
	m.says(t, 0, "", "moat", "run", "--", "true") // starts a daemon
	m.says(t, 0, "note: ended the daemon that was started by hand", "moat", "daemon", "install")
	m.says(t, 0, "moatd: started", "moat", "daemon", "start")
	m.asUser(t, "moat", "daemon", "uninstall", "--purge", "--yes")
}

// The user moat of the box gets another name first: the account is called so.
func (m machine) testSystemService(t *testing.T) {
	m.says(t, 1, "sudo moat daemon install --system", "moat", "daemon", "install", "--system")
	got := m.box("exec", "moat", "daemon", "install", "--system")
	if got.code != 1 || !strings.Contains(got.stderr, "there is an account moat of another purpose") {
		t.Errorf("beside an account moat: exit %d: %s, want that it is refused", got.code, got.stderr)
	}
	m.asRoot(t, "sed", "-i", "s/^moat:/human:/", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow")
	before := m.files(t)
	for range 2 {
		m.asRoot(t, "moat", "daemon", "install", "--system")
		if got := m.box(append([]string{"exec", "systemd-analyze", "verify"}, initfiles.UnitNames()...)...); got.stderr+got.stdout != "" {
			t.Errorf("systemd-analyze verify: %s%s, want silence", got.stdout, got.stderr)
		}
		m.asRoot(t, "moat", "daemon", "start", "--system")
		as := []string{"setpriv", "--reuid=moat", "--regid=moat", "--init-groups", "env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/var/lib/moat"}
		if out := m.asRoot(t, append(as, "moat", "ls")...); !strings.Contains(out, "no runs") {
			t.Errorf("moat ls as the account: %q, want no runs", out)
		}
		m.asRoot(t, append(as, "moat", "run", "--", "true")...)
		if out := m.asRoot(t, "moat", "daemon", "status", "--system"); !strings.Contains(out, "moatd runs") {
			t.Errorf("moat daemon status --system: %q", out)
		}
		if out := m.asRoot(t, "moat", "daemon", "logs", "--system"); !strings.Contains(out, "moatd is ready") {
			t.Errorf("moat daemon logs --system: %q", out)
		}
		m.asRoot(t, "moat", "daemon", "restart", "--system")
		m.asRoot(t, "moat", "daemon", "uninstall", "--system")
		m.asRoot(t, "test", "-f", "/var/lib/moat/.moat/moatd.db")
	}
	m.asRoot(t, "moat", "daemon", "uninstall", "--system", "--purge", "--yes")
	if after := m.files(t); after != before {
		t.Errorf("files before:\n%s\nand after:\n%s", before, after)
	}
	if got := m.box("exec", "id", "moat"); got.code == 0 {
		t.Errorf("the account is still there: %s", got.stdout)
	}
}
