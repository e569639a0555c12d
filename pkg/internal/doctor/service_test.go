package doctor

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// healthy is a service as it should be.
func healthy() supervisor.Status {
	return supervisor.Status{
		Supervisor: "systemd", Installed: true, Enabled: true, State: "active", PID: 7, Result: "success", Exe: "/usr/bin/moatd",
		Text: "serving 0 runs", Linger: true, Sockets: []supervisor.SocketStatus{
			{Name: "api", State: "active", Enabled: true, Listen: []string{"/run/user/1000/moat/moatd.sock"}},
			{Name: "proxy", State: "active", Enabled: true, Listen: []string{"127.0.0.1:19080"}},
			{Name: "routing", State: "active", Enabled: true, Listen: []string{"127.0.0.1:8080"}},
		},
	}
}

// service is a scene whose service was changed from a healthy one.
func service(change func(*supervisor.Status)) *scene {
	s := &scene{status: healthy()}
	change(&s.status)
	return s
}

func TestJudgeManager(t *testing.T) {
	gone := &supervisor.Problem{What: "XDG_RUNTIME_DIR is not set", Todo: "loginctl enable-linger", Kind: supervisor.ErrUnavailable}
	judge(t, []verdictCase{
		{"systemd answers", judgeManager("systemd", nil, true), OK, "systemd answers", ""},
		{"a machine without systemd", judgeManager("none", gone, false), Skip, "XDG_RUNTIME_DIR is not set", ""},
		{"a session without its systemd", judgeManager("none", gone, true), Fail, "XDG_RUNTIME_DIR is not set", "loginctl enable-linger"},
		{"systemd that does not answer", judgeManager("systemd", errors.New("systemctl: timed out"), true), Fail, "timed out", ""},
		{"no manager and no reason", judgeManager("none", nil, false), Skip, "there is no service manager", ""},
	})
}

func TestJudgesOfTheService(t *testing.T) {
	same := func(*supervisor.Status) {}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	judge(t, []verdictCase{
		{"installed", judgeInstalled(service(same)), OK, "/usr/bin/moatd", ""},
		{"not installed", judgeInstalled(service(func(s *supervisor.Status) { s.Installed = false })), Warn, "is not a service", fixInstall},
		{"installed by a package", judgeInstalled(service(func(s *supervisor.Status) { s.Packaged = true })), OK, "by a package", ""},
		{"nobody to ask", judgeInstalled(&scene{statusErr: errors.New("x")}), Skip, "no service manager", ""},
		{"no drift", judgeDrift(service(same)), OK, "as this version", ""},
		{"drift", judgeDrift(service(func(s *supervisor.Status) { s.Drift = []string{"/u/moatd.service"} })), Warn, "/u/moatd.service", fixInstall},
		{"drift of what is not installed", judgeDrift(service(func(s *supervisor.Status) { s.Installed = false })), Skip, "no service here", ""},
		{"units as they were read", judgeLoaded(service(same)), OK, "", ""},
		{"units that have changed", judgeLoaded(service(func(s *supervisor.Status) { s.Changed = true })), Warn, "have changed", fixReload},
		{"a plist that has changed", judgeLoaded(service(func(s *supervisor.Status) { s.Changed, s.Supervisor = true, "launchd" })), Warn, "since launchd read them", fixInstall},
		{"enabled", judgeEnabled(service(same)), OK, "from login on", ""},
		{"a socket that is disabled", judgeEnabled(service(func(s *supervisor.Status) { s.Sockets[1].Enabled = false })), Warn, "proxy", fixEnable},
		{"the routes may be disabled", judgeEnabled(service(func(s *supervisor.Status) { s.Sockets[2].Enabled = false })), OK, "", ""},
		{"a service that is disabled", judgeEnabled(service(func(s *supervisor.Status) { s.Enabled, s.Sockets = false, nil })), Warn, "service", fixEnable},
		{"active", judgeState(service(same)), OK, "serving 0 runs", ""},
		{"asleep", judgeState(service(func(s *supervisor.Status) { s.State, s.PID = "inactive", 0 })), OK, "a connection starts it", ""},
		{"a bad configuration", judgeState(service(func(s *supervisor.Status) { s.State, s.Result, s.ExitCode, s.Text = "failed", "exit-code", 78, "bad" })), Fail, `code 78), "bad"`, fixRestart},
		{"failed otherwise", judgeState(service(func(s *supervisor.Status) { s.State, s.Result, s.ExitCode = "failed", "watchdog", 6 })), Fail, "watchdog, exit code 6", fixRestart},
		{"a start limit", judgeState(service(func(s *supervisor.Status) { s.State, s.Result = "failed", "start-limit-hit" })), Fail, "too often", fixRestart},
		{"a crash loop", judgeState(service(func(s *supervisor.Status) {
			s.State, s.Result, s.ExitCode, s.Restarts = "activating", "exit-code", 1, 9
		})), Fail, "again and again", "moat daemon logs"},
		{"on its way after a crash", judgeState(service(func(s *supervisor.Status) { s.State, s.Result = "activating", "signal" })), OK, "activating", ""},
		{"on its way", judgeState(service(func(s *supervisor.Status) { s.State = "activating" })), OK, "activating", ""},
		{"masked", judgeState(service(func(s *supervisor.Status) { s.State = "masked" })), Fail, "masked", ""},
		{"few restarts", judgeRestarts(service(func(s *supervisor.Status) { s.Restarts = 4 })), OK, "4", ""},
		{"many restarts", judgeRestarts(service(func(s *supervisor.Status) { s.Restarts, s.Since = 5, at })), Warn, "5 times, at last at 2026-01-02 03:04:05", fixRestart},
		{"lingers", judgeLinger(service(same)), OK, "goes on", ""},
		{"does not linger", judgeLinger(service(func(s *supervisor.Status) { s.Linger = false })), Warn, "when you log out", "sudo loginctl enable-linger " + userOf(os.Geteuid())},
		{"launchd knows no lingering", judgeLinger(service(func(s *supervisor.Status) { s.Supervisor, s.Linger = "launchd", false })), Skip, "systemd", ""},
	})
}

func TestJudgeSockets(t *testing.T) {
	sock := func(i int, state, result string) func(*supervisor.Status) {
		return func(s *supervisor.Status) { s.Sockets[i].State, s.Sockets[i].Result = state, result }
	}
	judge(t, []verdictCase{
		{"all listen", judgeSockets(service(sock(0, "active", ""))), OK, "holds the sockets", ""},
		{"the proxy's port is taken", judgeSockets(service(sock(1, "failed", "resources"))), Fail, "proxy socket cannot listen on 127.0.0.1:19080", fixSockets},
		{"that of the routes is", judgeSockets(service(sock(2, "failed", "resources"))), Warn, "routing socket cannot", fixSockets},
		{"the routes are masked", judgeSockets(service(sock(2, "masked", ""))), OK, "", ""},
		{"stopped", judgeSockets(service(sock(0, "inactive", ""))), Fail, "api socket does not listen", fixSockets},
		{"closed by a limit", judgeSockets(service(sock(1, "failed", "trigger-limit-hit"))), Fail, "did not start often enough (trigger-limit-hit)", fixSockets},
		{"closed by the service's limit", judgeSockets(service(sock(1, "failed", "service-start-limit-hit"))), Fail, "service-start-limit-hit", fixSockets},
		{"failed otherwise", judgeSockets(service(sock(0, "failed", "exit-code"))), Fail, "has failed: exit-code", fixSockets},
		{"masked", judgeSockets(service(sock(0, "masked", ""))), Fail, "is masked", fixInstall},
		{"there are none", judgeSockets(service(func(s *supervisor.Status) { s.Sockets = nil })), Fail, "no sockets", fixInstall},
		{"no service", judgeSockets(service(func(s *supervisor.Status) { s.Installed = false })), Skip, "", ""},
	})
}

func TestJudgeUnitFiles(t *testing.T) {
	pkg := unitFile{unit: "moatd.service", path: "/usr/lib/systemd/user/moatd.service"}
	own := unitFile{unit: "moatd.service", path: "/home/a b/.config/systemd/user/moatd.service", ours: true}
	mask, routes := own, unitFile{unit: "moatd-routing.socket", path: "/x", masked: true, ours: true}
	mask.masked = true
	judge(t, []verdictCase{
		{"no mask", judgeMasks([]unitFile{own, pkg}), OK, "", ""},
		{"a mask", judgeMasks([]unitFile{mask, pkg}), Fail, own.path, "systemctl --user unmask moatd.service && " + fixInstall + " && " + fixSockets},
		{"the routes may be masked", judgeMasks([]unitFile{routes}), OK, "", ""},
		{"a package alone", judgeShadows([]unitFile{pkg}), OK, "", ""},
		{"our own alone", judgeShadows([]unitFile{own}), OK, "", ""},
		{"a copy before the package's", judgeShadows([]unitFile{own, pkg}), Warn, own.path, "rm '" + own.path + "' && " + fixReload + " && " + fixRestart},
		{"a mask is no copy", judgeShadows([]unitFile{mask, pkg}), OK, "", ""},
		{"another unit's is no copy", judgeShadows([]unitFile{{unit: "moatd.socket", path: "/a", ours: true}, pkg}), OK, "", ""},
	})
}

func TestJudgeDuplicates(t *testing.T) {
	const usr, local = "/usr/bin/moatd", "/home/a/.local/bin/moatd"
	judge(t, []verdictCase{
		{"none", judgeDuplicates(nil, usr, "/home/a"), Skip, "", ""},
		{"one", judgeDuplicates([]string{usr}, usr, "/home/a"), OK, usr, ""},
		{"the service's is the package's", judgeDuplicates([]string{local, usr}, usr, "/home/a"), Warn, "to keep: /usr/bin/moatd", "rm -f " + local + " /home/a/.local/bin/moat"},
		{"the service's is the user's", judgeDuplicates([]string{local, usr}, local, "/home/a"), Warn, "to keep: " + local, ""},
		{"no service", judgeDuplicates([]string{usr, local}, "", "/home/a"), Warn, "to keep: /usr/bin/moatd", "rm -f " + local + " /home/a/.local/bin/moat"},
	})
}
