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

const prober = "/usr/local/lib/probe/probe"

// testMemory is about other processes of the same user, with nothing that
// confines them.
func (m machine) testMemory(t *testing.T) {
	m.holdMemory(t, "trace PID", "list /proc/PID/cwd", "read-memory PID", "read /proc/PID/environ", "list /proc/PID/fd")
}

// testMemoryInNamespace knows less: who made a user namespace, and is not in it,
// may trace whatever is, so that PrivateUsers= opens what the daemon has closed.
func (m machine) testMemoryInNamespace(t *testing.T) {
	m.holdMemory(t, "read-memory PID", "read /proc/PID/environ", "list /proc/PID/fd")
}

func (m machine) holdMemory(t *testing.T, attempts ...string) {
	t.Helper()
	m.furnish(t)
	free := m.asUser(t, "sh", "-c", "sleep 300 >/dev/null & echo $!")
	m.pid(t)
	pid := m.property(t, "moatd", "MainPID")
	for _, attempt := range attempts {
		try := func(pid string) int {
			return m.tryAsUser(append([]string{prober}, strings.Fields(strings.ReplaceAll(attempt, "PID", pid))...)...).code
		}
		if got := try(free); got != 0 {
			t.Errorf("%s of a process that is not confined: exit %d, so it shows nothing", attempt, got)
		}
		if got := try(pid); got != 10 {
			t.Errorf("%s of the daemon: exit %d, want it refused", attempt, got)
		}
	}
	m.asUser(t, "kill", "-KILL", free)
	if got := m.tryAsUser("cat", "/proc/"+pid+"/stat"); got.code != 0 {
		t.Errorf("whether the daemon lives cannot be seen: %s", got.stderr)
	}
	m.testNoCore(t)
}

// testNoCore takes the unit's limit away, to see what the process does by itself.
func (m machine) testNoCore(t *testing.T) {
	t.Helper()
	m.asUser(t, "sh", "-c", "find /home/moat -name 'core*' -delete") // of a probe
	m.dropIn(t, "LimitCORE=infinity\nEnvironment=GOTRACEBACK=crash\nWorkingDirectory=/home/moat/.moat\n")
	m.systemctl(t, "restart", "moatd")
	before := m.pid(t)
	m.systemctl(t, "kill", "--signal", "ABRT", "moatd")
	eventually(t, "another daemon after SIGABRT", func() bool { return m.pid(t) != before })
	if got := m.journal(t, "_COMM=systemd"); strings.Contains(got, "code=dumped") || !strings.Contains(got, "code=killed, status=6/ABRT") {
		t.Errorf("after SIGABRT systemd says: %s\nwant killed, and not dumped", got)
	}
	if got := m.asUser(t, "sh", "-c", "find /home/moat -name 'core*'"); got != "" {
		t.Errorf("core files: %s", got)
	}
}

// wantDomain is what a child of the daemon can do.
var wantDomain = map[string]bool{ // attempt: allowed
	"read /home/moat/.ssh/id":                 false,
	"list /home/moat/.ssh":                    false,
	"write /home/moat/.bashrc":                false,
	"write /tmp/file":                         false,
	"write /home/moat/.config/systemd/user/x": false,
	"write /run/user/1000/file":               false,
	"exec /home/moat/bin/probe":               false,
	"exec /home/moat/.moat/probe":             false,
	"read /run/user/1000/secret":              false,
	"read /home/moat/.aws/config":             true,
	"write /home/moat/.aws/sso/cache/token":   true,
	"write /home/moat/.moat/file":             true,
	"read /etc/hosts":                         true,
	"read /proc/sys/kernel/random/boot_id":    true,
	"write /dev/null":                         true,
	"write /dev/shm/journal.x":                true,
	"exec " + prober:                          true,
	"connect /run/systemd/journal/stdout":     true,
}

// testLandlock asks from where the daemon is: its child, the credential process
// of an AWS profile, tries. Without the drop-in, what refuses is the process
// itself; and with sandbox: off, nothing does.
func (m machine) testLandlock(t *testing.T) {
	m.furnish(t)
	const dropIn = "/home/moat/.config/systemd/user/moatd.service.d/50-sandbox.conf"
	attempts := slices.Sorted(maps.Keys(wantDomain))
	m.asUser(t, "sh", "-ec", `cd; mkdir -p .ssh bin .aws/sso/cache .config/systemd/user; echo key >.ssh/id; echo x >/run/user/1000/secret
		cp `+prober+` bin/probe; cp `+prober+` .moat/probe`)
	m.write(t, "/home/moat/.aws/config", "[default]\ncredential_process = "+prober+" all /home/moat/.moat/result "+
		strings.Join(attempts, " , ")+"\n")
	m.asUser(t, "rm", "-f", dropIn)
	m.systemctl(t, "daemon-reload")
	off := m.dropIn(t, "Environment=MOAT_SANDBOX=off\n")
	for attempt, code := range m.askChild(t) {
		if code != "0" {
			t.Errorf("%s, with sandbox: off: exit %s; so it shows nothing", attempt, code)
		}
	}
	off()
	m.holdDomain(t, "without the drop-in", m.askChild(t))
	m.sandbox(t)
	m.holdDomain(t, "with the drop-in", m.askChild(t))
}

func (m machine) holdDomain(t *testing.T, how string, got map[string]string) {
	t.Helper()
	for attempt, allowed := range wantDomain {
		want := "10"
		if allowed {
			want = "0"
		}
		t.Logf("%s: %s %s", how, got[attempt], attempt)
		if got[attempt] != want {
			t.Errorf("%s, %s: exit %q, want %s", attempt, how, got[attempt], want)
		}
	}
}

// askChild has the daemon, started anew, run the credential process, and returns
// how each of its attempts ended.
func (m machine) askChild(t *testing.T) map[string]string {
	t.Helper()
	m.asUser(t, "rm", "-f", "/home/moat/.moat/result")
	m.systemctl(t, "restart", "moatd")
	var answer struct {
		Token string `json:"auth_token"`
	}
	decode(t, m.call(t, "POST", "/v1/runs", `{"run_id": "run_aws", "aws_config": {
		"role_arn": "arn:aws:iam::123456789012:role/x", "region": "us-east-1"}}`, "201"), &answer)
	defer m.call(t, "DELETE", "/v1/runs/"+answer.Token, "", "204")
	m.tryAsUser("curl", "-sS", "--max-time", "20", "--noproxy", "*", "-H", "Authorization: Bearer "+answer.Token,
		"http://127.0.0.1:19080/_aws/credentials") // fails, as the process prints no credentials
	ends := map[string]string{}
	for line := range strings.Lines(m.asUser(t, "cat", "/home/moat/.moat/result")) {
		code, attempt, _ := strings.Cut(strings.TrimSpace(line), " ")
		ends[attempt] = code
	}
	if len(ends) != len(wantDomain) {
		t.Fatalf("the child tried %d things, want %d: %v", len(ends), len(wantDomain), ends)
	}
	return ends
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
