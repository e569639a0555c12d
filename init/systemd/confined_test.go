//go:build e2e

package systemd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	initfiles "github.com/moatd/moatd/init"
)

// sandbox puts the drop-in for user namespaces in.
func (m machine) sandbox(t *testing.T) {
	t.Helper()
	m.write(t, "/home/moat/.config/systemd/user/moatd.service.d/50-sandbox.conf", initfiles.Sandbox())
	m.systemctl(t, "daemon-reload")
	m.systemctl(t, "restart", "moatd")
}

// TestConfined has the daemon do its work with all that confines it: the unit,
// the drop-in, and what the process does to itself.
func TestConfined(t *testing.T) {
	m := boot(t)
	m.install(t)
	m.sandbox(t)
	t.Run("every namespace of the drop-in is there", m.testNamespaces)
	t.Run("the first call starts the daemon", m.testFirstCall)
	t.Run("a run's requests reach the origin with the credential", m.testRequests)
	t.Run("a run's lines in the journal are found by its id", m.testJournal)
	t.Run("a grant reaches a live run", m.testLateGrant)
	t.Run("reload keeps the process and its runs", m.testReload)
	t.Run("stop lets a request in flight end", m.testStopDrains)
	t.Run("kill -9 refuses nothing and forgets no run", m.testKill)
	t.Run("restart and upgrade refuse nothing and forget no run", m.testRestart)
	t.Run("a daemon that hangs is replaced", m.testWatchdog)
	t.Run("a run goes on after a reboot", m.testReboot)
	t.Run("the state may be elsewhere", m.testElsewhere)
	t.Run("a fresh user needs no preparation", m.testFresh)
	t.Run("nobody else reads the memory of the daemon", m.testMemoryInNamespace)
	t.Run("the daemon and its children see their files alone", m.testLandlock)
	t.Run("what the unit forbids is forbidden", m.testHardening)
	t.Run("what the unit must not forbid is not forbidden", m.testAllowed)
	t.Run("no secret is in the journal or in a file", m.testNoSecrets)
}

func (m machine) testNamespaces(t *testing.T) {
	pid := m.property(t, "moatd", "MainPID")
	for _, ns := range []string{"user", "mnt", "uts"} {
		ours := m.asRoot(t, "readlink", "/proc/1/ns/"+ns)
		if got := m.asRoot(t, "readlink", "/proc/"+pid+"/ns/"+ns); got == ours {
			t.Errorf("the daemon is in the %s namespace of everybody, %s", ns, got)
		}
	}
	eventually(t, "Landlock in the journal", func() bool {
		return strings.Contains(m.journal(t, "_PID="+pid), "confined to the files of moatd and of the system landlock=")
	})
	if problems := m.asUser(t, "moat", "status", "--json"); strings.Contains(problems, "can open all files") {
		t.Errorf("moat status: %s", problems)
	}
}

func (m machine) testLateGrant(t *testing.T) {
	m.write(t, "/home/moat/.moat/providers/fresh.yaml", strings.ReplaceAll(provider, "demo", "fresh"))
	m.pipeAsUser(t, secret, "moat", "grant", "fresh")
	m.asUser(t, "moat", "run", "--grant", "fresh", "--policy", "strict", "--allow", "localhost:8443", "--",
		"curl", "-sS", "--fail", "https://localhost:8443/by-fresh")
	if got := m.seen(t, "/by-fresh"); len(got) != 1 || got[0].Authorization != "Bearer "+secret {
		t.Errorf("the origin saw at /by-fresh: %+v, want one with the credential", got)
	}
}

func (m machine) testElsewhere(t *testing.T) {
	const home = `/srv/o "dd/100%s $HOME`
	text, err := initfiles.SandboxFor(home)
	if err != nil {
		t.Fatal(err)
	}
	m.asRoot(t, "sh", "-ec", `mkdir -p "$1"; chown moat "$1"`, "sh", `/srv/o "dd`)
	m.write(t, "/home/moat/.config/systemd/user/moatd.service.d/50-sandbox.conf", text)
	remove := m.dropIn(t, `Environment="MOAT_HOME=/srv/o \"dd/100%%s $HOME"`+"\n")
	m.systemctl(t, "restart", "moatd")
	m.pid(t)
	if got := m.asRoot(t, "stat", "-c", "%a %U", home, home+"/moatd.db"); got != "700 moat\n600 moat" {
		t.Errorf("state directory and database: %q, want 700 and 600, of moat", got)
	}
	remove()
	m.sandbox(t)
}

// testFresh has a user without a state directory, which ProtectHome= would not
// let the daemon make.
func (m machine) testFresh(t *testing.T) {
	m.systemctl(t, "stop", "moatd")
	m.asUser(t, "mv", "/home/moat/.moat", "/home/moat/moat.kept")
	m.pid(t)
	if got := m.asRoot(t, "stat", "-c", "%a %U", "/home/moat/.moat"); got != "700 moat" {
		t.Errorf("state directory: %q, want 700 moat", got)
	}
	m.systemctl(t, "stop", "moatd")
	m.asUser(t, "sh", "-ec", "rm -r /home/moat/.moat; mv /home/moat/moat.kept /home/moat/.moat")
}

// testAllowed tries what the daemon, or what it calls, needs under everything
// that its unit and the drop-in have.
func (m machine) testAllowed(t *testing.T) {
	m.furnish(t)
	m.asRoot(t, "sh", "-ec", `
		groupadd --force engine; usermod --append --groups engine moat
		printf '[Socket]\nListenStream=/run/engine.sock\nSocketGroup=engine\nSocketMode=0660\n' >/run/systemd/system/engine.socket
		printf '[Service]\nExecStart=/bin/sleep 300\n' >/run/systemd/system/engine.service
		systemctl daemon-reload; systemctl start engine.socket; systemctl restart user@1000.service`)
	m.asUser(t, "sh", "-c", "echo key >/home/moat/.moat/credential")
	b := m.user(t)
	lines := directives(t, userUnit(t)+initfiles.Sandbox())
	var all []string
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		if b.confines(name) {
			all = append(all, lines[name]...)
		}
	}
	all = append(all, "LoadCredential=moat-store-key:/home/moat/.moat/credential")
	probes := map[string]string{}
	attempts := []string{
		"connect /run/engine.sock",            // of a supplementary group
		"connect /run/systemd/journal/stdout", // and its log
		"credential moat-store-key",
		"write /home/moat/.moat/file",
		"write /dev/shm/journal.y",
		"exec " + prober,
		"socket 2", "socket 10", "socket 16",
	}
	for i, attempt := range attempts {
		probes[fmt.Sprintf("probe-%02d.service", i)] = b.probe(row{attempt: attempt}, all)
	}
	ends := b.start(t, probes)
	for i, attempt := range attempts {
		if got := ends[fmt.Sprintf("probe-%02d.service", i)]; got != succeeded {
			t.Errorf("%s, under the unit and the drop-in: %s, want it done", attempt, got)
		}
	}
}
