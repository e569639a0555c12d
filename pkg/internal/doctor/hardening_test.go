package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func TestJudgeLog(t *testing.T) {
	gone := fmt.Errorf("the journal: %w", supervisor.ErrNoLog)
	kept, memory := journal{onDisk: true, own: true, running: true}, journal{running: true}
	judge(t, []verdictCase{
		{"readable and kept", judgeLog(nil, kept), OK, "it is kept", ""},
		{"readable by a member of the group, and not kept", judgeLog(nil, memory), Warn, "gone with a reboot", fixJournal},
		{"neither", judgeLog(gone, memory), Warn, "cannot be read, and is gone", fixJournal},
		{"kept since a moment", judgeLog(gone, journal{onDisk: true, running: true}), Warn, "nothing of this user's", fixRestart},
		{"kept for others", judgeLog(gone, kept), Warn, "cannot be read", "sudo usermod -aG systemd-journal " + userOf(syscall.Geteuid())},
		{"a daemon that has never run", judgeLog(gone, journal{onDisk: true}), Skip, "nothing yet", ""},
	})
}

func TestJudgeEngines(t *testing.T) {
	const sock = "/var/run/docker.sock"
	down := daemon.EngineState{Name: "docker", Place: sock, Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)}
	denied := daemon.EngineState{Name: "docker", Place: sock, Err: fmt.Errorf("dial: %w", fs.ErrPermission)}
	up := daemon.EngineState{Name: "podman", Place: "/run/podman/podman.sock"}
	strange := daemon.EngineState{Name: "docker", Place: sock, Err: errors.New("it answers 500")}
	judge(t, []verdictCase{
		{"one that answers", judgeEngines([]daemon.EngineState{down, up}, 1), OK, "podman.sock answers", ""},
		{"none, and none is needed", judgeEngines(nil, 0), Skip, "there is none", ""},
		{"none, and it is needed", judgeEngines(nil, 2), Fail, "2 runs are containers", ""},
		{"one that does not run", judgeEngines([]daemon.EngineState{down}, 0), Warn, "does not run", "sudo systemctl start docker"},
		{"one that does not run, and is needed", judgeEngines([]daemon.EngineState{down}, 1), Fail, "does not run", "sudo systemctl start docker"},
		{"one that is not for this user", judgeEngines([]daemon.EngineState{denied}, 0), Warn, "may not be used", "sudo usermod -aG docker " + userOf(syscall.Geteuid())},
		{"one that is ill", judgeEngines([]daemon.EngineState{strange}, 0), Warn, "answers 500", ""},
	})
}

func TestJudgeContainerDial(t *testing.T) {
	d := daemon.ContainerDial{Image: "sha256:1", Addr: "host.docker.internal:19080"}
	reached := d
	reached.Reached = true
	d.Said = "connection refused"
	judge(t, []verdictCase{
		{"it reaches the proxy", judgeContainerDial(reached, nil), OK, "reaches the proxy", ""},
		{"it does not", judgeContainerDial(d, nil), Fail, "connection refused", fixDocker},
		{"there is no image", judgeContainerDial(d, fmt.Errorf("%w: no image", daemon.ErrNoTrial)), Skip, "no image", ""},
		{"the engine fails", judgeContainerDial(d, errors.New("exit status 125")), Warn, "125", ""},
	})
}

func TestNamespaces(t *testing.T) {
	for _, tt := range []struct{ name, setting, value, want string }{
		{"a kernel that permits them", "kernel/unprivileged_userns_clone", "1", ""},
		{"AppArmor on Ubuntu", "kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor keeps them from users (kernel.apparmor_restrict_unprivileged_userns)"},
		{"an old Debian", "kernel/unprivileged_userns_clone", "0\n", "the kernel keeps them from users (kernel.unprivileged_userns_clone)"},
		{"a limit of none", "user/max_user_namespaces", "0\n", "there are to be none (user.max_user_namespaces)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := at(t)
			save(t, s.path("proc/self/ns/user"), "")
			save(t, s.path("proc/sys", tt.setting), tt.value)
			if got := s.namespaces(); got != tt.want {
				t.Errorf("namespaces() with %s=%q: %q, want %q", tt.setting, tt.value, got, tt.want)
			}
		})
	}
}

func TestSandbox(t *testing.T) {
	s, home := at(t)
	s.status = healthy()
	s.opts.ConfigDir = filepath.Join(home, "config")
	save(t, s.path("proc/self/ns/user"), "")
	judge(t, []verdictCase{{"possible and not there", s.sandbox(t.Context()), Warn, "could have", fixInstall}})
	dropIn := filepath.Join(s.unitDir(), "moatd.service.d", "50-sandbox.conf")
	save(t, dropIn, "[Service]\n# PrivateUsers=yes\n")
	judge(t, []verdictCase{{"a drop-in of something else", s.sandbox(t.Context()), Warn, "could have", fixInstall}})
	save(t, dropIn, "[Service]\nPrivateUsers=yes\n")
	judge(t, []verdictCase{
		{"there", s.sandbox(t.Context()), OK, "namespaces of its own", ""},
		{"impossible and not there", judgeSandbox(false, "the kernel has none"), OK, "without namespaces, since the kernel has none", ""},
		{"impossible and there", judgeSandbox(true, "the kernel has none"), Fail, "the kernel has none", "moat daemon install --sandbox=off"},
	})
}

func TestExposure(t *testing.T) {
	const said = "  NAME  DESCRIPTION\n\n→ Overall exposure level for moatd.service: %s MEDIUM 😐\n"
	s := &scene{status: healthy()}
	answer := func(out string, err error) Verdict {
		s.opts.Exec = func(context.Context, string, ...string) (string, error) { return out, err }
		return s.exposure(t.Context())
	}
	judge(t, []verdictCase{
		{"our unit", answer(fmt.Sprintf(said, "6.2"), nil), OK, "6.2 of 10", ""},
		{"a bare unit", answer(fmt.Sprintf(said, "9.6"), nil), Warn, "9.6 of 10", fixInstall},
		{"no number", answer(fmt.Sprintf(said, "much"), nil), Skip, "no exposure level", ""},
		{"no command", answer("", errors.New("executable file not found")), Skip, "not found", ""},
		{"no service", (&scene{status: supervisor.Status{}}).exposure(t.Context()), Skip, "", ""},
	})
}

func FuzzParseExposure(f *testing.F) {
	f.Add("→ Overall exposure level for moatd.service: 6.2 MEDIUM 😐\n")
	f.Add("exposure level for : NaN")
	f.Fuzz(func(t *testing.T, out string) {
		if score, err := parseExposure(out); err == nil && !(score >= 0 && score <= 10) {
			t.Errorf("parseExposure(%q) = %v, want 0 to 10", out, score)
		}
	})
}

func TestPorts(t *testing.T) {
	s := living(func(s *scene) {
		s.opts.Settings.ProxyAddr, s.opts.Settings.RoutingAddr = "127.0.0.1:0", ""
		s.status = supervisor.Status{}
		s.health.ProxyPort = 4711
	})
	want := netip.MustParseAddrPort("127.0.0.1:4711")
	if got := s.proxyAddr(); got != want {
		t.Errorf("proxyAddr() = %v, want the port that the daemon says, %v", got, want)
	}
	s.status = healthy()
	if got := s.proxyAddr(); got != netip.MustParseAddrPort("127.0.0.1:19080") {
		t.Errorf("proxyAddr() = %v, want the one of the service manager's socket", got)
	}
	if v := s.routingPort(t.Context()); v.Status != Skip {
		t.Errorf("routingPort() without routes = %+v, want skip", v)
	}
}
