//go:build e2e

package systemd_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

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
	before := m.restarts(t)
	m.systemctl(t, "kill", "--signal", "ABRT", "moatd")
	// Go asks each thread for its stack, and waits for those that do not answer.
	within(t, time.Minute, "another daemon after SIGABRT", func() bool {
		return m.restarts(t) > before && m.property(t, "moatd", "ActiveState") == "active"
	})
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
