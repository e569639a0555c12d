//go:build e2e

package systemd_test

import (
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	initfiles "github.com/moatd/moatd/init"
)

// testHardening looks at what the kernel does: systemd-analyze security also
// praises directives that a user manager ignores.
func (m machine) testHardening(t *testing.T) {
	m.systemctl(t, "start", "moatd")
	pid := m.property(t, "moatd", "MainPID")
	status := fields(m.asRoot(t, "cat", "/proc/"+pid+"/status"))
	for name, want := range map[string]string{"NoNewPrivs:": "1", "Seccomp:": "2", "Umask:": "0077"} {
		if got := status[name]; got != want {
			t.Errorf("/proc/PID/status of the daemon: %s %s, want %s", name, got, want)
		}
	}
	limits := m.asRoot(t, "grep", "^Max core file size", "/proc/"+pid+"/limits")
	if got := strings.Join(strings.Fields(limits)[4:6], " "); got != "0 0" {
		t.Errorf("limit of core files, soft and hard: %s, want 0 0", got)
	}

	for _, tt := range []struct{ directive, command string }{
		{"RestrictNamespaces", "unshare --user true"},
		{"RestrictSUIDSGID", "touch /tmp/probe && chmod u+s /tmp/probe"},
		{"LockPersonality", "setarch --addr-no-randomize true"},
	} {
		if free := m.tryAsUser("sh", "-c", tt.command); free.code != 0 {
			t.Logf("%s: cannot be told here, %q fails anyway: %s", tt.directive, tt.command, free.stderr)
			continue
		}
		if got := m.tryAsUser(append(confined(t), "sh", "-c", tt.command)...); got.code == 0 {
			t.Errorf("%q succeeds as part of the service; want %s to forbid it", tt.command, tt.directive)
		}
	}
}

// confined returns the command that runs another one as confined as the daemon.
func confined(t *testing.T) []string {
	t.Helper()
	text, err := initfiles.Unit("moatd.service", "/usr/bin/moatd")
	if err != nil {
		t.Fatal(err)
	}
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"systemd-run", "--user", "--quiet", "--wait", "--collect"}
	for _, o := range options {
		for _, prefix := range []string{"NoNew", "Lock", "MemoryDeny", "Restrict", "SystemCall"} {
			if o.Section == "Service" && strings.HasPrefix(o.Name, prefix) {
				args = append(args, "-p", o.Name+"="+o.Value)
			}
		}
	}
	return args
}

// fields returns the first word of each line and the word after it.
func fields(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 {
			m[f[0]] = f[1]
		}
	}
	return m
}
