//go:build e2e

package systemd_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	initfiles "github.com/moatd/moatd/init"
)

// Where the user moat has the program, and the state.
const (
	homeBin  = "/home/moat/.local/bin/"
	homeMoat = "/home/moat/.moat/"
	ownUnits = "/home/moat/.config/systemd/user/"
)

// The thief listens on a port of moatd's.
const (
	thiefScript = "/home/moat/thief.pl"
	thiefText   = `use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:19080", Listen => 5, ReuseAddr => 1) or die $!;
open(my $said, ">", "/home/moat/listens");
sleep;
`
)

// A finding is what moat doctor --json says of a check.
type finding struct{ Name, Status, Detail, Fix string }

func (f finding) fine() bool { return f.Status == "ok" || f.Status == "skip" }

// A fault is one way to break a machine: what to do as root and as the user, and
// what moat doctor must say of it.
type fault struct {
	name   string
	root   string // commands of a shell, "" for none
	user   string
	check  string // that names the fault
	status string
	detail string // in what it says
	with   string // environment of the command that mends it, for a person's part
}

// faults are in an order in which each leaves behind a machine in order.
var faults = []fault{
	{"the sockets are stopped", "", "moat daemon stop", "sockets", "fail", "api socket does not listen", ""},
	{
		"another program has the port of the proxy", "",
		"moat daemon stop; systemd-run --user --quiet perl " + thiefScript +
			"; timeout 10 sh -c 'until [ -e /home/moat/listens ]; do :; done'; moat daemon start",
		"proxy-port", "fail", "127.0.0.1:19080 is taken by /usr/bin/perl (process ", "",
	},
	{"a socket is disabled", "", "systemctl --user disable moatd.socket", "enabled", "warn", "api", ""},
	{"a unit was edited by hand", "", "echo '# mine' >>" + ownUnits + "moatd.service; systemctl --user daemon-reload", "units-current", "warn", ownUnits + "moatd.service", ""},
	{"units have changed since systemd read them", "", "touch " + ownUnits + "moatd-proxy.socket", "units-loaded", "warn", "have changed", ""},
	{"the service is masked", "", "moat daemon stop; ln -sf /dev/null " + ownUnits + "moatd.service; systemctl --user daemon-reload", "units-masked", "fail", "masked, so that nothing can start it: " + ownUnits + "moatd.service", ""},
	{"others may use the API", "", "chmod 666 " + socketPath, "api-socket", "fail", "its mode is 0666", ""},
	{"the socket's file was removed", "", "rm " + socketPath, "api-socket", "fail", "it was removed", ""},
	{"others may look into the state", "", "chmod 755 " + homeMoat, "home", "fail", "its mode is 0755", ""},
	{"the state is root's", "chown root " + homeMoat, "", "home", "fail", "belongs to user 0", ""},
	{"the database was damaged", "", "moat daemon stop; echo junk >" + homeMoat + "moatd.db; moat daemon start", "quarantine", "warn", "moatd.db.corrupt-", ""},
	{"the configuration has a typo", "", "echo 'idle_exti: 1m' >>" + homeMoat + "config.yaml; moat daemon restart", "config", "fail", "idle_exti", "EDITOR='sed -i /idle_exti/d'"},
	{
		"the CA's key is another's", "",
		"cd " + homeMoat + " && cp ca/ca.key /tmp/other.key && rm -r ca && moat daemon restart && cat /tmp/other.key >ca/ca.key",
		"ca", "fail", "ca.key is not the key of ca.crt", "",
	},
	{"the roots of runs lack the CA", "", ": >" + homeMoat + "ca/bundle.crt", "ca-bundle", "fail", "does not have the CA", ""},
	{"the key of the store is gone", "", "rm " + homeMoat + "store.key", "store-key", "fail", "the key that sealed 1 credentials is gone", ""},
	{"a provider cannot be read", "", "chmod 0 " + homeMoat + "providers/demo.yaml", "providers", "fail", "demo.yaml", ""},
	{"the journal is kept in memory", "rm -r /var/log/journal; systemctl restart systemd-journald", "moat daemon restart", "journal", "warn", "gone with a reboot", ""},
	{"the service ends with the login", "rm /var/lib/systemd/linger/moat", "", "linger", "warn", "when you log out", ""},
	{"the program was replaced", "", "moat daemon start; cd " + homeBin + " && cp moatd new && mv new moatd", "binary", "warn", homeBin + "moatd was replaced", ""},
	{
		"the daemon crashes", "",
		`for i in 1 2 3 4 5; do p=$(systemctl --user show --value -p MainPID moatd); kill -9 $p; ` +
			`until n=$(systemctl --user show --value -p MainPID moatd); [ $n != 0 -a $n != $p ]; do :; done; done; moat ls`,
		"restarts", "warn", "restarted 5 times", "",
	},
	{"a proxy is in the environment", "", "systemctl --user set-environment HTTPS_PROXY=http://corp:3128; moat daemon restart", "environment", "warn", "HTTPS_PROXY", ""},
	{"the sandbox was left out", "", "moat daemon install --sandbox=off", "sandbox", "warn", "could have namespaces", ""},
	{"a daemon was started by hand", "", "moat daemon stop; systemd-run --user --quiet --unit=byhand moatd serve; timeout 10 sh -c 'until moat status; do :; done'", "one-daemon", "warn", "was not started by the service", ""},
}

func TestDoctor(t *testing.T) {
	m := boot(t)
	m.installForDoctor(t)
	t.Run("a healthy machine", m.testHealthy)
	t.Run("a daemon that sleeps", m.testAsleep)
	t.Run("a daemon whose program was replaced", m.testSkew)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { m.testFault(t, f) })
	}
	t.Run("a package's units are hidden by copies", m.testShadowed)
}

// installForDoctor installs moatd the way of a user without a package.
func (m machine) installForDoctor(t *testing.T) {
	t.Helper()
	bin := build(t)
	m.asUser(t, "mkdir", "-p", homeBin)
	for _, name := range []string{"moat", "moatd"} {
		m.push(t, filepath.Join(bin, name), "/tmp/"+name)
		m.asUser(t, "cp", "/tmp/"+name, homeBin)
	}
	m.write(t, thiefScript, thiefText)
	m.shell(t, "moat daemon install")
	m.asRoot(t, "loginctl", "enable-linger", "moat")
	m.write(t, homeMoat+"providers/demo.yaml", provider)
	m.pipeAsUser(t, secret, homeBin+"moat", "grant", "demo")
	m.shell(t, "moat daemon start")
}

// shell runs commands as the user, who has the program in PATH.
func (m machine) shell(t *testing.T, script string) result {
	t.Helper()
	return m.tryAsUser("sh", "-c", `PATH=$HOME/.local/bin:$PATH; `+script)
}

// doctor returns what moat doctor finds, and its exit code.
func (m machine) doctor(t *testing.T) (map[string]finding, int) {
	t.Helper()
	r := m.shell(t, "moat doctor --json")
	var said struct{ Checks []finding }
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil {
		t.Fatalf("moat doctor --json: exit %d: %v: %.500q %s", r.code, err, r.stdout, r.stderr)
	}
	all := make(map[string]finding)
	for _, f := range said.Checks {
		all[f.Name] = f
	}
	return all, r.code
}

// ill returns what is not in order, sorted.
func ill(all map[string]finding) (list []finding) {
	for _, f := range all {
		if !f.fine() {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b finding) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (m machine) testHealthy(t *testing.T) {
	all, code := m.doctor(t)
	if bad := ill(all); len(bad) > 0 || code != 0 {
		t.Fatalf("exit %d, and not in order: %+v", code, bad)
	}
	for _, name := range []string{
		"service-manager", "installed", "units-current", "units-loaded", "units-masked", "enabled", "service-state", "restarts", "linger",
		"sockets", "api-socket", "proxy-port", "routing-port", "proxy-answers", "daemon", "one-daemon", "version", "binary", "descriptors",
		"environment", "home", "filesystem", "database", "config", "providers", "ca", "ca-bundle", "store-key", "credentials", "journal", "exposure",
	} {
		if all[name].Status != "ok" {
			t.Errorf("%s: %s, %s; want it looked at and in order", name, all[name].Status, all[name].Detail)
		}
	}
}

// testAsleep finds no fault in a daemon that its sockets would start, and lets it
// sleep unless it is told to wake it.
func (m machine) testAsleep(t *testing.T) {
	m.systemctl(t, "stop", "moatd.service")
	all, code := m.doctor(t)
	if bad := ill(all); len(bad) > 0 || code != 0 || m.pidOf(t) != "0" {
		t.Errorf("moat doctor ends with %d, not in order is %+v, and the daemon is process %s; want it asleep, and no fault", code, bad, m.pidOf(t))
	}
	r := m.shell(t, "moat doctor --start --verbose")
	if pid := m.pidOf(t); r.code != 0 || pid == "0" || !strings.Contains(r.stdout, "process "+pid+" answers") || !strings.Contains(r.stdout, "process "+pid+" alone") {
		t.Errorf("moat doctor --start ends with %d, and the daemon is process %s; want it awake and looked at:\n%s", r.code, pid, r.stdout)
	}
}

// testSkew upgrades the program under a daemon: commands restart it by the service
// manager, but not under a run.
func (m machine) testSkew(t *testing.T) {
	const replace = "cd " + homeBin + " && cp moatd new && mv new moatd; "
	before := m.pidOf(t)
	r := m.shell(t, replace+"moat status && moat doctor; moat ls")
	if after := m.pidOf(t); after == before || r.code != 0 || !strings.Contains(r.stderr, "had no runs and was restarted") {
		t.Errorf("moat ls, exit %d, said %q, and the daemon is process %s after %s; want it restarted", r.code, r.stderr, after, before)
	}
	before = m.pidOf(t)
	r = m.shell(t, "moat run -- sh -c '"+replace+"moat ls'")
	if after := m.pidOf(t); after != before || r.code != 0 || !strings.Contains(r.stderr, "its 1 runs go on over a restart: moat daemon restart") {
		t.Errorf("moat ls in a run, exit %d, said %q, and the daemon is process %s after %s; want it told and left alone", r.code, r.stderr, after, before)
	}
	r = m.shell(t, "moat ls; moat doctor")
	if r.code != 0 {
		t.Errorf("after all that moat doctor ends with %d: %s", r.code, r.stdout)
	}
}

// pidOf is the process of the service, "0" if it does not run.
func (m machine) pidOf(t *testing.T) string {
	t.Helper()
	return m.property(t, "moatd.service", "MainPID")
}

// testFault breaks the machine, and holds moat doctor to what it says: the
// command that it names for the fault must mend that, and the commands that it
// names for what is left must mend the rest.
func (m machine) testFault(t *testing.T, f fault) {
	t.Helper()
	if f.root != "" {
		m.asRoot(t, "sh", "-c", f.root)
	}
	if f.user != "" {
		m.shell(t, f.user) // some of it fails, that is the point
	}
	all, code := m.doctor(t)
	got := all[f.check]
	if got.Status != f.status || !strings.Contains(got.Detail, f.detail) || got.Fix == "" {
		t.Errorf("moat doctor says of %s %+v; want %s, %q and a command; all that is not in order: %+v", f.check, got, f.status, f.detail, ill(all))
	}
	if broken := slices.ContainsFunc(ill(all), func(f finding) bool { return f.Status == "fail" }); broken != (code == 1) || code > 1 {
		t.Errorf("moat doctor ends with %d, and a check has failed: %t", code, broken)
	}
	t.Logf("%s: %s: mended by %s", f.check, got.Detail, got.Fix)
	m.mend(t, got, f.with)
	all, _ = m.doctor(t)
	if !all[f.check].fine() {
		t.Errorf("%s has not mended it: %+v", got.Fix, all[f.check])
	}
	for range 3 {
		for _, left := range ill(all) {
			if left.Fix != "" {
				t.Logf("and %s: %s: mended by %s", left.Name, left.Detail, left.Fix)
				m.mend(t, left, f.with)
			}
		}
		all, _ = m.doctor(t)
	}
	if bad := ill(all); len(bad) > 0 {
		t.Fatalf("still not in order: %+v", bad)
	}
}

// mend does what moat doctor says, one command after the other: the machine has
// no sudo.
func (m machine) mend(t *testing.T, f finding, with string) {
	t.Helper()
	for command := range strings.SplitSeq(f.Fix, " && ") {
		args := []string{"exec", "--user", "sh", "-c", "export PATH=$HOME/.local/bin:$PATH " + with + "; " + command}
		if asRoot, ok := strings.CutPrefix(command, "sudo "); ok {
			args = []string{"exec", "sh", "-c", asRoot}
		}
		if r := m.boxWith(t.Context(), secret, args...); r.code != 0 {
			t.Errorf("%s, which should mend %s: exit %d: %s", command, f.Name, r.code, r.stdout+r.stderr)
		}
	}
}

// testShadowed installs the package beside the user's own installation.
func (m machine) testShadowed(t *testing.T) {
	for _, name := range []string{"moat", "moatd"} {
		m.asRoot(t, "cp", homeBin+name, "/usr/bin/"+name)
	}
	for _, name := range initfiles.UnitNames() {
		text, err := initfiles.Unit(name, "/usr/bin/moatd")
		if err != nil {
			t.Fatal(err)
		}
		m.push(t, save(t, []byte(text)), unitDir+name)
	}
	m.testFault(t, fault{check: "units-shadowed", status: "warn", detail: ownUnits + "moatd.service"})
	if got := m.asUser(t, "sh", "-c", "ls "+ownUnits+"*.service "+homeBin+"* 2>/dev/null || true"); got != "" {
		t.Errorf("after all commands there still are %s", fmt.Sprint(strings.Fields(got)))
	}
}
