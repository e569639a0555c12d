package supervisor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func TestVerbs(t *testing.T) {
	active := func(name string) func(*world) {
		return func(w *world) { w.change(name, func(u *fakeUnit) { u.Active = "active" }) }
	}
	start := func(s supervisor.Supervisor, ctx context.Context) error { return s.Start(ctx) }
	restart := func(s supervisor.Supervisor, ctx context.Context) error { return s.Restart(ctx) }
	for _, tt := range []struct {
		name    string
		before  func(*world)
		do      func(supervisor.Supervisor, context.Context) error
		want    map[string]string // states
		opened  int               // how often moatd.socket was
		wantErr string
	}{
		{"start", func(*world) {}, start, map[string]string{"moatd.service": "active"}, 1, ""},
		{"start what runs", active("moatd.service"), start, map[string]string{"moatd.service": "active"}, 1, ""},
		{"start after a stop", func(w *world) {
			if err := w.sup().Stop(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		}, start, map[string]string{"moatd.socket": "active", "moatd.service": "active"}, 2, ""},
		{"start a daemon whose sockets are closed", func(w *world) {
			active("moatd.service")(w)
			w.change("moatd.socket", func(u *fakeUnit) { u.Active = "inactive" })
		}, start, map[string]string{"moatd.socket": "active", "moatd.service": "active"}, 2, ""},
		{"start after too many failures", func(w *world) {
			w.change("moatd.socket", func(u *fakeUnit) { u.Active = "failed" })
			w.change("moatd.service", func(u *fakeUnit) { u.Active = "failed" })
		}, start, map[string]string{"moatd.socket": "active", "moatd.service": "active"}, 2, ""},
		{"start a daemon that cannot", func(w *world) {
			w.change("moatd.service", func(u *fakeUnit) { u.Reason = "exit-code" })
		}, start, nil, 1, "moatd does not run: exit-code: serving 2 runs; moat daemon logs"},
		{"restart keeps the sockets", active("moatd.service"), restart, map[string]string{"moatd.service": "active"}, 1, ""},
		{"restart what does not run", func(*world) {}, restart, map[string]string{"moatd.service": "active"}, 1, ""},
		{"restart without the port of the proxy", func(w *world) {
			w.change("moatd-proxy.socket", func(u *fakeUnit) { u.Active, u.Busy = "inactive", true })
		}, restart, map[string]string{"moatd.service": "active"}, 1, "moatd-proxy.socket does not listen on 127.0.0.1:19080"},
		{"stop closes the sockets", active("moatd.service"), func(s supervisor.Supervisor, ctx context.Context) error { return s.Stop(ctx) }, map[string]string{"moatd.socket": "inactive", "moatd-proxy.socket": "inactive", "moatd.service": "inactive"}, 1, ""},
		{"reload", active("moatd.service"), func(s supervisor.Supervisor, ctx context.Context) error { return s.Reload(ctx) }, map[string]string{"moatd.service": "active"}, 1, ""},
		{"reload what does not run", func(*world) {}, func(s supervisor.Supervisor, ctx context.Context) error { return s.Reload(ctx) }, nil, 1, "nothing to reload; moat daemon start"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.install(supervisor.InstallOptions{})
			tt.before(w)
			err := tt.do(w.sup(), t.Context())
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			for name, want := range tt.want {
				if got := w.unit(name).Active; got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
			if got := w.unit("moatd.socket").Opened; got != tt.opened {
				t.Errorf("moatd.socket was opened %d times, want %d", got, tt.opened)
			}
		})
	}
}

func TestStop_closesTheSocketsFirst(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{})
	w.calls()
	if err := w.sup().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := w.calls()
	socket := slices.IndexFunc(calls, func(c string) bool { return strings.Contains(c, "stop moatd.socket") })
	service := slices.IndexFunc(calls, func(c string) bool { return strings.Contains(c, "moatd.service") && strings.Contains(c, "stop") })
	if socket < 0 || service < socket {
		t.Errorf("commands %q, want the sockets stopped before the service, which they start", calls)
	}
}

func TestEnableAndDisable(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{})
	for _, want := range []bool{false, true} {
		do := map[bool]func(context.Context) error{false: w.sup().Disable, true: w.sup().Enable}[want]
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
		st, err := w.sup().Status(t.Context())
		if err != nil || st.Enabled != want || st.Sockets[1].Enabled != want {
			t.Errorf("Status: %+v, %v, want enabled %v", st, err, want)
		}
		if got := w.unit("moatd.socket").Active; got != "active" {
			t.Errorf("moatd.socket is %s, want that what listens goes on", got)
		}
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	st, err := w.sup().Status(t.Context())
	if err != nil || st.Installed || len(st.Sockets) > 0 {
		t.Errorf("before: %+v, %v, want not installed, and no error", st, err)
	}
	w.install(supervisor.InstallOptions{})
	w.change("moatd.service", func(u *fakeUnit) { u.Active = "active" })
	w.change("moatd-routing.socket", func(u *fakeUnit) { u.Active, u.Result = "failed", "resources" })
	own := filepath.Join(w.units(), "moatd.service.d", "override.conf")
	w.write(own, "[Service]\nNice=5\n")
	w.write(filepath.Join(w.units(), "moatd.socket"), "[Socket]\nListenStream=/x\n")
	st, err = w.sup().Status(t.Context())
	want := supervisor.Status{
		Supervisor: "systemd", Installed: true, Enabled: true, State: "active", PID: 4242, Since: time.Unix(1700000000, 0),
		Restarts: 3, Result: "success", Text: "serving 2 runs", Exe: w.exe, Changed: true,
		Drift: []string{filepath.Join(w.units(), "moatd.socket")}, DropIns: []string{own},
		Sockets: []supervisor.SocketStatus{
			{Name: "api", State: "active", Enabled: true, Listen: []string{"%t/moat/moatd.sock"}},
			{Name: "proxy", State: "active", Enabled: true, Listen: []string{"127.0.0.1:19080"}},
			{Name: "routing", State: "failed", Result: "resources", Enabled: true, Listen: []string{"127.0.0.1:8080"}},
		},
	}
	if diff := cmp.Diff(want, st); diff != "" || err != nil {
		t.Errorf("Status: %v, -want +got:\n%s", err, diff)
	}
}

func TestStatus_isOneCommandThatStartsNothing(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{})
	w.calls()
	if _, err := w.sup().Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	if calls := w.calls(); len(calls) != 1 || !strings.HasPrefix(calls[0], "systemctl --user show ") {
		t.Errorf("commands %q, want one systemctl show", calls)
	}
}

func TestUninstall(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*world)
		left   []string
	}{
		{"an installation", func(w *world) { w.install(supervisor.InstallOptions{}) }, nil},
		{"one whose daemon runs", func(w *world) {
			w.install(supervisor.InstallOptions{})
			w.change("moatd.service", func(u *fakeUnit) { u.Active = "active" })
		}, nil},
		{"nothing", func(*world) {}, nil},
		{"half a one, of no bytes", func(w *world) { w.write(filepath.Join(w.units(), "moatd.service"), "") }, nil},
		{"links to units that are gone", func(w *world) {
			w.install(supervisor.InstallOptions{})
			os.Remove(filepath.Join(w.units(), "moatd.socket"))
		}, nil},
		{"a file that was being written", func(w *world) { w.write(filepath.Join(w.units(), ".moatd-1.tmp"), "x") }, nil},
		{"one that the user has changed", func(w *world) {
			w.install(supervisor.InstallOptions{})
			w.write(filepath.Join(w.units(), "moatd.service.d", "override.conf"), "[Service]\nNice=5\n")
		}, []string{".config/systemd/user/moatd.service.d/override.conf"}},
		{"one beside others", func(w *world) {
			w.install(supervisor.InstallOptions{})
			w.write(filepath.Join(w.units(), "other.service"), "[Service]\n")
		}, []string{".config/systemd/user/other.service"}},
		{"a masked one", func(w *world) {
			w.install(supervisor.InstallOptions{})
			path := filepath.Join(w.units(), "moatd-routing.socket")
			os.Remove(path)
			os.Symlink(os.DevNull, path)
		}, []string{".config/systemd/user/moatd-routing.socket"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.before(w)
			removed, err := w.sup().Uninstall(t.Context())
			if err != nil {
				t.Fatalf("Uninstall: %v", err)
			}
			if diff := cmp.Diff(tt.left, w.files(), cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })); diff != "" {
				t.Errorf("left, -want +got:\n%s", diff)
			}
			if _, err := os.Stat(w.exe); err != nil {
				t.Errorf("the executable: %v, want it there", err)
			}
			for _, path := range removed {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s is said to be removed, and is there", path)
				}
			}
			for _, name := range []string{"moatd.socket", "moatd.service"} {
				if got := w.unit(name).Active; got == "active" {
					t.Errorf("%s is still active", name)
				}
			}
		})
	}
}

func TestNotInstalled(t *testing.T) {
	w := newWorld(t)
	s := w.sup()
	for name, do := range map[string]func(context.Context) error{
		"start": s.Start, "stop": s.Stop, "restart": s.Restart, "reload": s.Reload, "enable": s.Enable, "disable": s.Disable,
	} {
		if err := do(t.Context()); !errors.Is(err, supervisor.ErrNotInstalled) || !strings.Contains(err.Error(), "; moat daemon install") {
			t.Errorf("%s: %v, want ErrNotInstalled with what to do", name, err)
		}
	}
}

func TestNew_saysWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		prep       func(*world)
	}{
		{"another init", "this machine does not run systemd; run moatd serve in a terminal", func(w *world) {
			os.RemoveAll(filepath.Join(w.root, "run/systemd"))
		}},
		{"no systemctl", "systemctl is not in PATH", func(w *world) { w.t.Setenv("PATH", "/nowhere") }},
		{"su, without a session", "XDG_RUNTIME_DIR is not set: this is no session with a systemd of the user; log in over ssh", func(w *world) {
			os.RemoveAll(filepath.Join(w.root, "run/user"))
			w.opts.Getenv = func(string) string { return "" }
		}},
		{"the runtime directory of another", "XDG_RUNTIME_DIR is no directory of this user: ", func(w *world) { w.opts.UID++ }},
		{"a directory without a manager", "systemd does not run for this user: there is no ", func(w *world) {
			os.RemoveAll(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "systemd"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.prep(w)
			s := w.sup()
			if s.Name() != "none" {
				t.Fatalf("Name() = %q, want none", s.Name())
			}
			_, install := s.Install(t.Context(), supervisor.InstallOptions{Exe: w.exe})
			_, uninstall := s.Uninstall(t.Context())
			_, status := s.Status(t.Context())
			for name, err := range map[string]error{
				"Install": install, "Uninstall": uninstall, "Status": status,
				"Start": s.Start(t.Context()), "Stop": s.Stop(t.Context()), "Restart": s.Restart(t.Context()), "Reload": s.Reload(t.Context()),
				"Enable": s.Enable(t.Context()), "Disable": s.Disable(t.Context()), "Logs": s.Logs(t.Context(), supervisor.LogOptions{Out: os.Stdout}),
			} {
				if !errors.Is(err, supervisor.ErrUnavailable) || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("%s: %v, want ErrUnavailable and %q", name, err, tt.want)
				}
			}
			if calls := w.calls(); calls[0] != "" {
				t.Errorf("commands were run to find out: %q", calls)
			}
		})
	}
}

func TestNew_findsTheManagerWithoutItsVariable(t *testing.T) {
	w := newWorld(t)
	w.opts.Getenv = func(string) string { return "" }
	w.opts.Environ = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "XDG_RUNTIME_DIR=") })
	if got := w.sup().Name(); got != "systemd" {
		t.Errorf("Name() = %q, want systemd, by /run/user/UID", got)
	}
}
