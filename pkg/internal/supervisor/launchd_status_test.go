package supervisor

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLaunchd_status(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*mac)
		change func(*Status) // of that of a daemon that runs
	}{
		{"a daemon that runs", func(*mac) {}, func(*Status) {}},
		{"one that idled out", func(m *mac) { m.unset("pid.gui") }, func(st *Status) { st.State, st.PID = stateInactive, 0 }},
		{"one that failed", func(m *mac) { m.unset("pid.gui"); m.set("exit", "256") }, func(st *Status) {
			st.State, st.PID, st.Result, st.ExitCode = stateFailed, 0, "exit-code", 1
		}},
		{"one whose last one was killed", func(m *mac) { m.set("exit", "9") }, func(st *Status) { st.Result, st.ExitCode = "signal", 137 }},
		{"one that was stopped", func(m *mac) { m.mustStop() }, func(st *Status) {
			st.State, st.PID, st.Result = stateInactive, 0, ""
		}},
		{"one that was disabled while it runs", func(m *mac) { m.set("disabled", "true") }, func(st *Status) { st.Enabled = false }},
		{"one that was disabled and stopped", func(m *mac) { m.mustStop(); m.set("disabled", "true") }, func(st *Status) {
			st.State, st.PID, st.Result, st.Enabled = stateInactive, 0, "", false
		}},
		{"one without a login at the screen", func(m *mac) { m.move("gui", "user"); m.set("gui", "112") }, func(*Status) {}},
		{"one in the session of another: list does not know it, print does", func(m *mac) { m.set("mute", "") }, func(st *Status) { st.Result = "" }},
		{"a plist that was edited", func(m *mac) { m.edit() }, func(st *Status) { st.Changed, st.Drift = true, []string{"PLIST"} }},
		{"a plist that others can write", func(m *mac) { chmod(m.t, m.plist(), 0o666) }, func(st *Status) { st.Drift = []string{"PLIST"} }},
		{"a plist that is none", func(m *mac) { overwrite(m.t, m.plist(), "{}") }, func(st *Status) {
			st.Changed, st.Drift, st.Exe, st.Sockets = true, []string{"PLIST"}, "", nil
		}},
		{"nothing", func(m *mac) {
			if _, err := m.Uninstall(m.t.Context()); err != nil {
				m.t.Fatal(err)
			}
		}, func(st *Status) { *st = Status{Supervisor: "launchd", State: stateInactive} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			macTest(t, func(m *mac) {
				t := m.t
				m.mustInstall(InstallOptions{Listen: addrs("10.0.0.1:19080")})
				tt.before(m)
				want := Status{
					Supervisor: "launchd", Installed: true, Enabled: true, State: stateActive, PID: 101, Result: "success", Exe: m.exe,
					Sockets: []SocketStatus{
						{Name: "api", Listen: []string{m.socket()}},
						{Name: "proxy", Listen: []string{"127.0.0.1:19080", "10.0.0.1:19080"}},
						{Name: "routing", Listen: []string{"127.0.0.1:8080"}},
					},
				}
				tt.change(&want)
				for i := range want.Drift {
					want.Drift[i] = m.plist()
				}
				for i := range want.Sockets {
					want.Sockets[i].State, want.Sockets[i].Enabled = stateActive, want.Enabled
					if m.get("loaded.gui")+m.get("loaded.user") == "" {
						want.Sockets[i].State = stateInactive
					}
				}
				m.calls()
				got, err := m.Status(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Status, -want +got:\n%s", diff)
				}
				if changes := m.changes(); changes != nil {
					t.Errorf("Status called %q", changes)
				}
			})
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLaunchd_statusWithoutASession(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		m.set("gui", "112")
		m.set("user", "112")
		if st, err := m.Status(t.Context()); !errors.Is(err, ErrUnavailable) || !st.Installed {
			t.Errorf("Status = %+v, %v; want installed, and %v", st, err, ErrUnavailable)
		}
	})
}

// What launchctl printed on real machines, and what it might print.
func TestParseList(t *testing.T) {
	for _, tt := range []struct {
		name, out string
		want      jobProcess
	}{
		{"a job that runs", "{\n\t\"StandardOutPath\" = \"/a/b\";\n\t\"LimitLoadToSessionType\" = \"Aqua\";\n\t\"Label\" = \"dev.moatd.moatd\";\n\t\"OnDemand\" = false;\n\t\"LastExitStatus\" = 0;\n\t\"PID\" = 4711;\n\t\"Program\" = \"/m\";\n};\n", jobProcess{pid: 4711, exited: true}},
		{"one that ended with 1", "{\n\t\"LastExitStatus\" = 256;\n};", jobProcess{exited: true, status: 256}},
		{"one that was killed", "{\n\t\"LastExitStatus\" = -9;\n};", jobProcess{exited: true, status: -9}},
		{"spaces elsewhere", "\"PID\"=12;", jobProcess{pid: 12}},
		{"a value that only looks like it", "{\n\t\"Label\" = \"\\\"PID\\\" = 5;\";\n};", jobProcess{}},
		{"no process", "{\n\t\"PID\" = -1;\n};", jobProcess{}},
		{"a number that is none", "\"PID\" = 99999999999999999999;", jobProcess{}},
		{"words", "\"PID\" = none;", jobProcess{}},
		{"nothing", "", jobProcess{}},
	} {
		if got := parseList(tt.out); got != tt.want {
			t.Errorf("%s: parseList(%q) = %+v, want %+v", tt.name, tt.out, got, tt.want)
		}
	}
}

func TestJobProcess_ended(t *testing.T) {
	for _, tt := range []struct {
		name   string
		p      jobProcess
		result string
		code   int
	}{
		{"it never has", jobProcess{}, "", 0},
		{"with 0", jobProcess{exited: true}, "success", 0},
		{"with 78, a configuration that is wrong", jobProcess{exited: true, status: 78 << 8}, "exit-code", 78},
		{"by SIGKILL", jobProcess{exited: true, status: 9}, "signal", 137},
		{"by SIGKILL, as older ones have it", jobProcess{exited: true, status: -9}, "signal", 137},
		{"by SIGABRT, with a core", jobProcess{exited: true, status: 6 | 0x80}, "signal", 134},
	} {
		if result, code := tt.p.ended(); result != tt.result || code != tt.code {
			t.Errorf("%s: %q, %d; want %q, %d", tt.name, result, code, tt.result, tt.code)
		}
	}
}

func TestListsDisabled(t *testing.T) {
	for _, tt := range []struct {
		name, out string
		want      bool
	}{
		{"off, until macOS 12", "disabled services = {\n\t\"dev.moatd.moatd\" => true\n}", true},
		{"off, since macOS 13", "\tdisabled services = {\n\t\t\"dev.moatd.moatd\" => disabled\n\t}", true},
		{"on again", "disabled services = {\n\t\"dev.moatd.moatd\" => false\n}", false},
		{"on again, in words", "disabled services = {\n\t\"dev.moatd.moatd\" => enabled\n}", false},
		{"another job", "disabled services = {\n\t\"dev.moatd.moatd.other\" => true\n\t\"devXmoatd.moatd\" => true\n}", false},
		{"none", "disabled services = {\n}", false},
		{"nothing", "", false},
	} {
		if got := listsDisabled(tt.out); got != tt.want {
			t.Errorf("%s: listsDisabled(%q) = %v, want %v", tt.name, tt.out, got, tt.want)
		}
	}
}

// Property: a process id is never negative, and an exit code is one that a shell
// could have, whatever launchctl prints.
func FuzzParseList(f *testing.F) {
	f.Add("{\n\t\"LastExitStatus\" = 256;\n\t\"PID\" = 4711;\n};")
	f.Add("\"LastExitStatus\" = -99999999999;")
	f.Fuzz(func(t *testing.T, out string) {
		p := parseList(out)
		result, code := p.ended()
		if p.pid < 0 || code < 0 || code > 255 {
			t.Errorf("parseList(%q) = %+v, which ended with %d", out, p, code)
		}
		if !p.exited != (result == "") || strings.Contains(out, `"LastExitStatus" = 0;`) && !p.exited && strings.HasPrefix(out, `"Last`) {
			t.Errorf("parseList(%q) = %+v, which ended with %q", out, p, result)
		}
	})
}
