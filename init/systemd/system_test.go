//go:build e2e

package systemd_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	initfiles "github.com/moatd/moatd/init"
)

// rowsOfSystem are of what only the unit of the system's manager has.
var rowsOfSystem = []row{
	{directive: "User", attempt: "write /etc/written"},
	{directive: "PrivateUsers", attempt: "become /usr/local/lib/probe/able raw-socket", needs: []string{"User=moat"}},
	{directive: "ProtectHome", attempt: "list /home", needs: []string{"User=moat"}},
	{directive: "ProtectProc", attempt: "look /proc/1", needs: []string{"User=moat"}},
}

// Where things are that belong to the daemon of the whole machine.
const (
	systemLink   = "/var/lib/moat/.moat/run/moatd.sock"
	systemSocket = "/run/moat/moatd.sock"
)

// TestSystem has the daemon of the whole machine, under an account of its own.
func TestSystem(t *testing.T) {
	m := boot(t)
	m.installSystem(t)
	t.Run("the units are beyond reproach", m.testSystemVerify)
	t.Run("the API socket is the account's alone", m.testSystemSocket)
	t.Run("a run's requests reach the origin with the credential", m.testSystemRequests)
	t.Run("a restart keeps the runs", m.testSystemRestart)
	t.Run("a reboot keeps the runs", m.testSystemReboot)
	t.Run("what the unit forbids is forbidden", m.testSystemHardening)
	t.Run("stopping the socket leaves nothing behind", m.testSystemStop)
}

// asAccount is before a command of the account's.
var asAccount = []string{"runuser", "-u", "moat", "--", "env", "HOME=/var/lib/moat"}

// asMoat runs a command as the account, which must succeed.
func (m machine) asMoat(t *testing.T, args ...string) string {
	t.Helper()
	return m.asRoot(t, append(slices.Clone(asAccount), args...)...)
}

func (m machine) installSystem(t *testing.T) {
	t.Helper()
	// The box has a user of that name, who logs in.
	m.asRoot(t, "sh", "-ec", `sed -i 's/^moat:/plain:/' /etc/passwd /etc/shadow /etc/group /etc/gshadow
		mv /var/lib/systemd/linger/moat /var/lib/systemd/linger/plain`)
	bin := build(t)
	m.push(t, filepath.Join(bin, "moat"), "/usr/bin/moat")
	m.push(t, filepath.Join(bin, "moatd"), "/usr/bin/moatd")
	m.push(t, filepath.Join(bin, "boxorigin"), "/usr/local/bin/boxorigin")
	m.push(t, save(t, []byte(initfiles.Sysusers())), "/usr/lib/sysusers.d/moatd.conf")
	m.asRoot(t, "systemd-sysusers")
	for _, name := range initfiles.UnitNames() {
		text, err := initfiles.SystemUnit(name, "/usr/bin/moatd")
		if err != nil {
			t.Fatal(err)
		}
		m.push(t, save(t, []byte(text)), "/usr/lib/systemd/system/"+name)
	}
	// ProtectProc= mounts a /proc without the boot id that the box has put into its own.
	m.push(t, save(t, []byte("[Service]\nBindReadOnlyPaths=/run/host/boot_id:/proc/sys/kernel/random/boot_id\n")),
		"/etc/systemd/system/moatd.service.d/box.conf")
	m.installOrigin(t)
	m.asRoot(t, "systemctl", "daemon-reload")
	m.asRoot(t, "systemctl", "--quiet", "enable", "--now", "moatd.socket", "moatd-proxy.socket")
	for path, text := range map[string]string{"config.yaml": "upstream_ca: " + originCert + "\n", "providers/demo.yaml": provider} {
		m.push(t, save(t, []byte(text)), "/tmp/"+path)
		m.asMoat(t, "install", "-D", "-m", "0600", "/tmp/"+path, "/var/lib/moat/.moat/"+path)
	}
	args := slices.Concat([]string{"exec"}, asAccount, []string{"moat", "grant", "demo"})
	must(t, m.boxWith(t.Context(), secret, args...), args)
}

func (m machine) testSystemVerify(t *testing.T) {
	args := append([]string{"exec", "systemd-analyze", "verify"}, initfiles.UnitNames()...)
	if got := m.box(args...); got != (result{}) {
		t.Errorf("systemd-analyze verify: exit %d, printed %q; want silence", got.code, got.stdout+got.stderr)
	}
}

func (m machine) testSystemSocket(t *testing.T) {
	for _, tt := range []struct{ what, got, want string }{
		{"the service", m.box("exec", "systemctl", "is-active", "moatd.service").stdout, "inactive\n"},
		{"the socket", m.asRoot(t, "stat", "-c", "%a %U %F", systemSocket), "600 moat socket"},
		{"its directory", m.asRoot(t, "stat", "-c", "%a %U", "/run/moat"), "711 root"},
		{"where the CLI looks", m.asRoot(t, "stat", "-L", "-c", "%a %U %F", systemLink), "600 moat socket"},
		{
			"the link's directory", m.asRoot(t, "stat", "-c", "%a %U", "/var/lib/moat/.moat/run", "/var/lib/moat/.moat", "/var/lib/moat"),
			"700 moat\n700 moat\n700 moat",
		},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	for _, sock := range []string{systemLink, systemSocket} {
		if got := m.tryAsUser("curl", "-sS", "--unix-socket", sock, "http://moatd/v1/health"); got.code != 7 {
			t.Errorf("another user at %s: exit %d %s; want no connection", sock, got.code, got.stdout)
		}
	}
}

func (m machine) testSystemRequests(t *testing.T) {
	const fetch = "moat run --grant demo --policy strict --allow localhost:8443 -- curl -sS --fail https://localhost:8443/by-account"
	m.asMoat(t, strings.Fields(fetch)...) // the first connection: it starts the daemon
	if got := m.seen(t, "/by-account"); len(got) != 1 || got[0].Authorization != "Bearer "+secret {
		t.Errorf("the origin saw at /by-account: %+v, want one with the credential", got)
	}
	m.asRoot(t, "env", "MOAT_HOME=/var/lib/moat/.moat", "moat", "ls") // root may look, too
	pid := m.asRoot(t, "systemctl", "show", "--value", "-p", "MainPID", "moatd")
	if got := m.asRoot(t, "stat", "-c", "%U", "/proc/"+pid+"/environ"); got != "root" { // see confine.Memory
		t.Errorf("/proc/PID/environ of the daemon belongs to %s, want root", got)
	}
	if got := fields(m.asRoot(t, "cat", "/proc/"+pid+"/status"))["Uid:"]; got != m.asRoot(t, "id", "-u", "moat") {
		t.Errorf("uid of the daemon: %s", got)
	}
	if got := m.asRoot(t, "journalctl", "--unit", "moatd", "-o", "cat"); !strings.Contains(got, "confined to the files of moatd and of the system landlock=") {
		t.Errorf("journal of the service: %s\nwant Landlock in it", got)
	}
	if got := m.asMoat(t, "moat", "status", "--json"); strings.Contains(got, "can open all files") {
		t.Errorf("moat status: %s", got)
	}
}

// systemRun makes a run that has no process.
func (m machine) systemRun(t *testing.T, id string) run {
	t.Helper()
	body := `{"run_id": "` + id + `", "grants": ["demo"], "network_policy": "strict", "network_allow": ["localhost:8443"]}`
	var answer struct {
		Token string `json:"auth_token"`
	}
	decode(t, m.asMoat(t, "curl", "-sS", "--fail", "--unix-socket", systemLink, "-H", "Content-Type: application/json",
		"-d", body, "http://moatd/v1/runs"), &answer)
	return run{id, answer.Token}
}

func (m machine) systemWorks(t *testing.T, r run, when string) {
	t.Helper()
	got := m.box("exec", "curl", "-sS", "--fail", "--max-time", "20", "--noproxy", "", "--proxy", "http://moat:"+r.token+"@127.0.0.1:19080",
		"--cacert", "/var/lib/moat/.moat/ca/ca.crt", "https://localhost:8443/")
	if got.stdout != "hello\n" {
		t.Errorf("%s: exit %d, answer %q: %s; want hello", when, got.code, got.stdout, got.stderr)
	}
}

func (m machine) testSystemRestart(t *testing.T) {
	r := m.systemRun(t, "run_restart")
	m.systemWorks(t, r, "after it was registered")
	m.asRoot(t, "systemctl", "restart", "moatd")
	m.systemWorks(t, r, "after a restart")
	m.asRoot(t, "systemctl", "kill", "--signal", "KILL", "moatd")
	m.systemWorks(t, r, "after kill -9")
}

func (m machine) testSystemReboot(t *testing.T) {
	r := m.systemRun(t, "run_reboot")
	must(t, m.box("reboot"), []string{"reboot"})
	if got := m.box("exec", "systemctl", "is-active", "moatd.socket", "moatd.service").stdout; got != "active\ninactive\n" {
		t.Errorf("after a boot socket and service are %q, want active and inactive", got)
	}
	m.systemWorks(t, r, "after a boot, with the old token")
	m.asMoat(t, "moat", "ls")
}

func (m machine) testSystemHardening(t *testing.T) {
	m.furnish(t)
	text, err := initfiles.SystemUnit("moatd.service", "/usr/bin/moatd")
	if err != nil {
		t.Fatal(err)
	}
	b := bench{
		machine: m, manager: []string{"exec", "systemctl"}, dir: "/run/systemd/system/",
		state: "/var/lib/moat", lines: directives(t, text),
	}
	b.complete(t, rowsOfSystem, rowsOfAny, rowsOfNamespaces)
	b.hold(t, rowsOfSystem)
	b.base = []string{"User=moat"}
	b.hold(t, slices.DeleteFunc(slices.Concat(rowsOfAny, rowsOfNamespaces), func(r row) bool { return b.lines[r.directive] == nil }))
}

func (m machine) testSystemStop(t *testing.T) {
	m.asRoot(t, "systemctl", "stop", "moatd.socket", "moatd-proxy.socket", "moatd.service")
	for _, path := range []string{systemSocket, systemLink} {
		if got := m.box("exec", "test", "-e", path, "-o", "-L", path); got.code == 0 {
			t.Errorf("%s is left", path)
		}
	}
	m.asRoot(t, "systemctl", "start", "moatd.socket", "moatd-proxy.socket")
	m.asMoat(t, "moat", "ls")
}
