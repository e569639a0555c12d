package supervisor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// macTest runs f with a mac, in a time of its own: waits cost none.
func macTest(t *testing.T, f func(m *mac)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f(newMac(t))
	})
}

// reloading is how a job is loaded anew: out of both domains, so that there are
// never two daemons, and started without -k, which could hit the new one.
var reloading = []string{"bootout " + guiJob, "bootout " + userJob, "enable " + guiJob, "bootstrap gui/501 PLIST", "kickstart " + guiJob}

func TestLaunchd_theOrderOfCommands(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*mac) // after an installation
		act    func(*mac) error
		want   []string // the commands that change something
	}{
		{
			"install switches the job on, loads it, and starts it without -k",
			func(m *mac) {
				if _, err := m.Uninstall(m.t.Context()); err != nil {
					m.t.Fatal(err)
				}
			},
			func(m *mac) error { _, err := m.install(InstallOptions{}); return err },
			reloading,
		},
		{
			"install again changes nothing",
			nil,
			func(m *mac) error { _, err := m.install(InstallOptions{}); return err },
			nil,
		},
		{
			"install of another executable at the same path replaces the daemon, and the sockets stay",
			func(m *mac) { m.upgrade("two, which is longer") },
			func(m *mac) error { _, err := m.install(InstallOptions{}); return err },
			[]string{"kickstart -k " + guiJob},
		},
		{
			"install with another text loads the job anew",
			nil,
			func(m *mac) error { _, err := m.install(InstallOptions{Listen: addrs("10.0.0.1:19080")}); return err },
			reloading,
		},
		{
			"restart leaves the sockets open",
			nil,
			func(m *mac) error { return m.Restart(m.t.Context()) },
			[]string{"kickstart -k " + guiJob},
		},
		{
			"restart after a change of the plist loads it anew",
			func(m *mac) { m.edit() },
			func(m *mac) error { return m.Restart(m.t.Context()) },
			reloading,
		},
		{
			"restart of a job that is not loaded starts it",
			func(m *mac) { m.mustStop() },
			func(m *mac) error { return m.Restart(m.t.Context()) },
			reloading,
		},
		{
			"start of a job that is loaded only starts its daemon",
			func(m *mac) { m.unset("pid.gui") },
			func(m *mac) error { return m.Start(m.t.Context()) },
			[]string{"kickstart " + guiJob},
		},
		{
			"a job in the wrong domain is moved",
			func(m *mac) { m.move("gui", "user") },
			func(m *mac) error { return m.Start(m.t.Context()) },
			reloading,
		},
		{
			"a job in both domains is taken out of both",
			func(m *mac) { m.set("loaded.user", m.get("loaded.gui")) },
			func(m *mac) error { return m.Restart(m.t.Context()) },
			reloading,
		},
		{
			"reload is a signal",
			nil,
			func(m *mac) error { return m.Reload(m.t.Context()) },
			[]string{"kill SIGHUP " + guiJob},
		},
		{
			"enable",
			nil,
			func(m *mac) error { return m.Enable(m.t.Context()) },
			[]string{"enable " + guiJob},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			macTest(t, func(m *mac) {
				m.mustInstall(InstallOptions{})
				if tt.before != nil {
					tt.before(m)
				}
				m.calls()
				if err := tt.act(m); err != nil {
					m.t.Fatal(err)
				}
				var want []string
				for _, call := range tt.want {
					want = append(want, strings.ReplaceAll(call, "PLIST", m.plist()))
				}
				if diff := cmp.Diff(want, m.changes()); diff != "" {
					m.t.Errorf("commands, -want +got:\n%s", diff)
				}
				m.wantRunning("gui")
			})
		})
	}
}

// edit changes the plist as a user would.
func (m *mac) edit() {
	m.t.Helper()
	text, err := os.ReadFile(m.plist())
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.plist(), append(text, '\n'), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mac) mustStop() {
	m.t.Helper()
	if err := m.Stop(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
}

// move moves a job to another domain.
func (m *mac) move(from, to string) {
	m.t.Helper()
	for _, name := range []string{"loaded.", "pid."} {
		m.set(name+to, m.get(name+from))
		m.unset(name + from)
	}
}

func TestLaunchd_stop(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		m.mustStop()
		m.wantStopped()
		m.mustStop() // again
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.wantRunning("gui")
	})
}

func TestLaunchd_theDomain(t *testing.T) {
	for _, tt := range []struct {
		name      string
		gui, user string // exit codes of their probes
		want      string // the domain, or part of the error
	}{
		{"a login at the screen", "0", "0", "gui"},
		{"no session of the user beside it", "0", "112", "gui"},
		{"112: ssh to a Mac at which nobody is logged in", "112", "0", "user"},
		{"125: the same, of another macOS", "125", "0", "user"},
		{"neither", "112", "125", "launchd has no session of uid 501"},
		{"a code that nobody knows is no reason to try the other", "77", "0", "ask launchd for the session gui/501"},
		{"113 is none either", "113", "0", "ask launchd for the session gui/501"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			macTest(t, func(m *mac) {
				t := m.t
				m.set("gui", tt.gui)
				m.set("user", tt.user)
				_, err := m.install(InstallOptions{})
				if tt.want == "gui" || tt.want == "user" {
					if err != nil {
						t.Fatalf("Install = %v", err)
					}
					m.wantRunning(tt.want)
					return
				}
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Install = %v, want an error with %q", err, tt.want)
				}
				if got := m.changes(); got != nil {
					t.Errorf("and it called %q", got)
				}
			})
		})
	}
}

// 125 once the domain has answered: a second domain would mean a second daemon.
func TestLaunchd_doesNotFallBackLater(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.set("fail", "bootstrap 125")
		_, err := m.install(InstallOptions{})
		if err == nil || !strings.Contains(err.Error(), "launchd has no such session") {
			t.Errorf("Install = %v, want an error", err)
		}
		for _, call := range m.calls() {
			if strings.HasPrefix(call, "bootstrap user/") {
				t.Errorf("launchctl %s", call)
			}
		}
	})
}

func TestLaunchd_waitsForABootoutThatTakesItsTime(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		m.set("slow", "30") // looks: more than 20 seconds
		m.edit()
		start := time.Now()
		if err := m.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.wantRunning("gui")
		if took := time.Since(start); took < 20*time.Second || took > goneWait {
			t.Errorf("Restart took %v, want the time of the bootout", took)
		}
	})
}

func TestLaunchd_givesUpOnABootoutThatDoesNotEnd(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		m.set("slow", "for ever")
		start := time.Now()
		err := m.Stop(t.Context())
		if err == nil || !strings.Contains(err.Error(), "stop the job "+guiJob+": it has not gone after 50s") {
			t.Errorf("Stop = %v", err)
		}
		if took := time.Since(start); took < goneWait || took > goneWait+pollMax {
			t.Errorf("Stop took %v, want %v", took, goneWait)
		}
		if n := len(m.calls()); n > 100 {
			t.Errorf("launchctl was called %d times", n)
		}
		m.set("going.gui", "1") // and yet it goes
		m.mustStop()
		m.wantStopped()
	})
}

func TestLaunchd_waitsEndWithTheirContext(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		m.set("slow", "for ever")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := m.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestLaunchd_reportsAPlistThatLaunchdRefuses(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		m.mustStop()
		if err := os.Remove(m.plist()); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(m.home, "nowhere"), m.plist()); err != nil {
			t.Fatal(err)
		}
		err := m.Start(t.Context())
		p, ok := errors.AsType[*Problem](err)
		if !ok || !strings.Contains(p.What, "launchd does not load the job") || !strings.Contains(p.Todo, "plutil -lint") {
			t.Errorf("Start = %v, want a problem that names plutil", err)
		}
	})
}

// What launchd leaves behind makes its next bootstrap fail.
func TestLaunchd_removesADeadSocket(t *testing.T) {
	macTest(t, func(m *mac) {
		m.mustInstall(InstallOptions{})
		m.set("dirty", "")
		m.mustStop()
		m.wantStopped()
	})
}

func TestLaunchd_leavesTheSocketOfALiveDaemonAlone(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		if err := m.makeDirs(); err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("unix", m.socket())
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.install(InstallOptions{})
		if p, ok := errors.AsType[*Problem](err); !ok || !strings.Contains(p.What, "a moatd that launchd did not start listens on "+m.socket()) {
			t.Errorf("Install = %v, want a problem that names the socket", err)
		}
		if _, err := os.Lstat(m.socket()); err != nil {
			t.Errorf("the socket: %v, want it to stay", err)
		}
		ln.Close()
		m.mustInstall(InstallOptions{})
		m.wantRunning("gui")
	})
}

func TestLaunchd_restartReturnsWithTheNewDaemon(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		before := m.get("pid.gui")
		if err := m.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := m.get("pid.gui"); after == before || after == "" {
			t.Errorf("the daemon is process %q, and was %q", after, before)
		}
	})
}

func TestLaunchd_reloadOfWhatDoesNotRun(t *testing.T) {
	for name, before := range map[string]func(*mac){
		"3: the daemon idled out":   func(m *mac) { m.unset("pid.gui") },
		"113: the job is unloaded":  func(m *mac) { m.mustStop() },
		"112: nor is there any gui": func(m *mac) { m.mustStop(); m.set("gui", "112") },
	} {
		t.Run(name, func(t *testing.T) {
			macTest(t, func(m *mac) {
				t := m.t
				m.mustInstall(InstallOptions{})
				before(m)
				if err := m.Reload(t.Context()); !errors.Is(err, ErrNotRunning) {
					t.Errorf("Reload = %v, want %v", err, ErrNotRunning)
				}
			})
		})
	}
}

func TestLaunchd_switchedOff(t *testing.T) {
	for _, words := range []bool{false, true} {
		macTest(t, func(m *mac) {
			t := m.t
			if words { // macOS 13 and newer
				m.set("words", "")
			}
			m.mustInstall(InstallOptions{})
			m.mustStop()
			if err := m.Disable(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name, act := range map[string]func(context.Context) error{"Start": m.Start, "Restart": m.Restart} {
				p, ok := errors.AsType[*Problem](act(t.Context()))
				if !ok || !strings.Contains(p.What, "System Settings") || p.Todo != "moat daemon enable" {
					t.Errorf("%s = %v, want a problem that names System Settings", name, p)
				}
			}
			if st, err := m.Status(t.Context()); err != nil || st.State != stateInactive || st.Enabled {
				t.Errorf("Status = %+v, %v; want it disabled", st, err)
			}
			done := m.mustInstall(InstallOptions{})
			if len(done.Notes) != 1 || !strings.Contains(done.Notes[0], "had been switched off") {
				t.Errorf("notes of Install = %q, want that it was switched off", done.Notes)
			}
			m.wantRunning("gui")
		})
	}
}

func TestLaunchd_notInstalled(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		for name, act := range map[string]func(context.Context) error{
			"Start": m.Start, "Stop": m.Stop, "Restart": m.Restart, "Reload": m.Reload, "Enable": m.Enable, "Disable": m.Disable,
			"Logs": func(ctx context.Context) error { return m.Logs(ctx, LogOptions{Out: t.Output()}) },
		} {
			if err := act(t.Context()); !errors.Is(err, ErrNotInstalled) {
				t.Errorf("%s = %v, want %v", name, err, ErrNotInstalled)
			}
		}
		if got := m.calls(); len(got) > 0 {
			t.Errorf("launchctl was called with %q", got)
		}
		if removed, err := m.Uninstall(t.Context()); err != nil || removed != nil {
			t.Errorf("Uninstall = %q, %v; want nothing, nil", removed, err)
		}
	})
}

func TestLaunchd_forTheSystem(t *testing.T) {
	s := newLaunchd(Options{System: true})
	if _, err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Status = %v, want %v", err, ErrUnavailable)
	}
}

func TestLaunchd_launchctlIsFoundInPATH(t *testing.T) {
	m := newMac(t)
	m.program = "launchctl"
	t.Setenv("PATH", m.dir+":"+os.Getenv("PATH"))
	m.mustInstall(InstallOptions{})
	m.wantRunning("gui")
	t.Setenv("PATH", m.home)
	if _, err := m.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "launchctl") {
		t.Errorf("Status without launchctl = %v, want an error that names it", err)
	}
}

// A command that ends neither well nor badly is no answer.
func TestLaunchd_theCallerGivesUp(t *testing.T) {
	m := newMac(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Status = %v, want %v", err, context.Canceled)
	}
	if err := m.Stop(ctx); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Stop = %v, want %v", err, ErrNotInstalled)
	}
}
