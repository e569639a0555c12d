package supervisor_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	initfiles "github.com/moatd/moatd/init"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// installedFiles are those of an installation without flags.
var installedFiles = []string{
	".config/systemd/user/moatd-proxy.socket",
	".config/systemd/user/moatd-routing.socket",
	".config/systemd/user/moatd.service",
	".config/systemd/user/moatd.service.d/50-sandbox.conf",
	".config/systemd/user/moatd.socket",
	".config/systemd/user/sockets.target.wants/moatd-proxy.socket",
	".config/systemd/user/sockets.target.wants/moatd-routing.socket",
	".config/systemd/user/sockets.target.wants/moatd.socket",
}

// whole fails the test unless the installation is.
func (w *world) whole(when string) {
	w.t.Helper()
	if diff := cmp.Diff(installedFiles, w.files()); diff != "" {
		w.t.Errorf("%s, files -want +got:\n%s", when, diff)
	}
	for _, name := range initfiles.UnitNames() {
		want, err := initfiles.Unit(name, w.exe)
		if err != nil {
			w.t.Fatal(err)
		}
		path := filepath.Join(w.units(), name)
		if diff := cmp.Diff(want, w.read(path)); diff != "" {
			w.t.Errorf("%s, %s -want +got:\n%s", when, name, diff)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
			w.t.Errorf("%s, %s: %v, %v; want mode 0644", when, name, info.Mode(), err)
		}
		if strings.HasSuffix(name, ".socket") && w.unit(name).Active != "active" {
			w.t.Errorf("%s, %s is %s, want active", when, name, w.unit(name).Active)
		}
		if w.unit(name).Text == "" {
			w.t.Errorf("%s, systemd has not read %s", when, name)
		}
	}
}

func TestInstall_endsWholeWhateverWasThereBefore(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(w *world)
	}{
		{"nothing", func(*world) {}},
		{"the same", func(w *world) { w.install(supervisor.InstallOptions{}) }},
		{"a unit of no bytes, as a failed installation leaves it", func(w *world) {
			w.write(filepath.Join(w.units(), "moatd.service"), "")
		}},
		{"half of the sockets", func(w *world) {
			w.install(supervisor.InstallOptions{})
			os.Remove(filepath.Join(w.units(), "moatd-proxy.socket"))
			w.change("moatd-proxy.socket", func(u *fakeUnit) { u.Active = "inactive" })
		}},
		{"half of the sockets, and a daemon that runs", func(w *world) {
			w.install(supervisor.InstallOptions{})
			w.change("moatd-proxy.socket", func(u *fakeUnit) { u.Active = "inactive" })
			w.change("moatd.service", func(u *fakeUnit) { u.Active = "active" })
		}},
		{"a service that has failed too often", func(w *world) {
			w.install(supervisor.InstallOptions{})
			w.change("moatd.service", func(u *fakeUnit) { u.Active, u.Result = "failed", "start-limit-hit" })
			w.change("moatd.socket", func(u *fakeUnit) { u.Active, u.Result = "failed", "service-start-limit-hit" })
		}},
		{"texts of an older version", func(w *world) {
			w.install(supervisor.InstallOptions{})
			for _, name := range initfiles.UnitNames() {
				w.write(filepath.Join(w.units(), name), "[Socket]\nListenStream=127.0.0.1:1\n[Service]\nExecStart=/old/moatd\n")
			}
		}},
		{"a file that was half written when the power went", func(w *world) {
			w.write(filepath.Join(w.units(), "moatd.socket"), "[Unit]\nDescr")
		}},
		{"links instead of files", func(w *world) {
			w.write(filepath.Join(w.home, "bin", "dots"), "[Unit]\n")
			os.MkdirAll(w.units(), 0o755)
			os.Symlink(filepath.Join(w.home, "bin", "dots"), filepath.Join(w.units(), "moatd.service"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.before(w)
			w.install(supervisor.InstallOptions{})
			os.Remove(filepath.Join(w.home, "bin", "dots"))
			w.whole("over " + tt.name)
		})
	}
}

func TestInstall_goesOnWhereOneHasFailed(t *testing.T) {
	for _, line := range []string{
		"systemctl --user show", "systemctl --user daemon-reload", "systemctl enable --user", "systemctl --user enable", "systemctl --user restart",
	} {
		t.Run(line, func(t *testing.T) {
			w := newWorld(t)
			w.fail(line + " => it broke")
			_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe})
			if strings.HasPrefix(line, "systemctl --user") && err == nil {
				t.Errorf("Install while %s fails: no error", line)
			}
			w.fail()
			w.install(supervisor.InstallOptions{})
			w.whole("after " + line + " has failed once")
		})
	}
}

func TestInstall_saysWhatTheCommandSaid(t *testing.T) {
	w := newWorld(t)
	w.fail("systemctl --user daemon-reload => Refusing to reload: not enough space", "systemctl daemon-reload --user => the same")
	_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe})
	if err == nil || !strings.Contains(err.Error(), "daemon-reload: Refusing to reload: not enough space") {
		t.Errorf("Install: %v, want what systemctl said", err)
	}
}

func TestInstall_closesNoSocketThatStaysTheSame(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{})
	w.change("moatd.service", func(u *fakeUnit) { u.Active = "active" })
	for _, tt := range []struct {
		name string
		opts supervisor.InstallOptions
		want map[string]int // how often each was opened
	}{
		{"again, the same", supervisor.InstallOptions{}, map[string]int{"moatd.socket": 1, "moatd-proxy.socket": 1}},
		{
			"a further address opens the proxy's alone",
			supervisor.InstallOptions{Listen: []netip.AddrPort{netip.MustParseAddrPort("172.17.0.1:19080")}},
			map[string]int{"moatd.socket": 1, "moatd-proxy.socket": 2},
		},
		{"no flag keeps the address", supervisor.InstallOptions{}, map[string]int{"moatd.socket": 1, "moatd-proxy.socket": 2}},
		{
			"none removes it",
			supervisor.InstallOptions{Listen: []netip.AddrPort{}},
			map[string]int{"moatd.socket": 1, "moatd-proxy.socket": 3},
		},
	} {
		w.install(tt.opts)
		for name, want := range tt.want {
			if got := w.unit(name).Opened; got != want {
				t.Errorf("%s: %s was opened %d times, want %d", tt.name, name, got, want)
			}
		}
		if got := w.unit("moatd.service").Active; got != "active" {
			t.Errorf("%s: the service is %s, want active, as before", tt.name, got)
		}
	}
	w.whole("at the end")
}

func TestInstall_leavesAPackageItsUnits(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{})
	w.change("moatd.service", func(u *fakeUnit) { u.Active = "active" })
	for _, name := range initfiles.UnitNames() {
		text, err := initfiles.Unit(name, "/usr/bin/moatd")
		if err != nil {
			t.Fatal(err)
		}
		w.write(filepath.Join(w.packages(), name), text)
	}
	done := w.install(supervisor.InstallOptions{Listen: []netip.AddrPort{netip.MustParseAddrPort("172.17.0.1:19080")}})
	want := []string{
		".config/systemd/user/moatd-proxy.socket.d/50-listen.conf",
		".config/systemd/user/moatd.service.d/50-sandbox.conf",
		".config/systemd/user/sockets.target.wants/moatd-proxy.socket",
		".config/systemd/user/sockets.target.wants/moatd-routing.socket",
		".config/systemd/user/sockets.target.wants/moatd.socket",
	}
	if diff := cmp.Diff(want, w.files()); diff != "" || !done.Packaged {
		t.Errorf("packaged: %v, files -want +got:\n%s", done.Packaged, diff)
	}
	if notes := strings.Join(done.Notes, "\n"); !strings.Contains(notes, "which hid the unit of the package") || !strings.Contains(notes, "start /usr/bin/moatd") {
		t.Errorf("notes %q, want that copies were removed, and what is started", done.Notes)
	}
	if got := w.unit("moatd.socket").Opened; got != 1 {
		t.Errorf("moatd.socket was opened %d times, want once: its text is the same", got)
	}
	st, err := w.sup().Status(t.Context())
	if err != nil || !st.Packaged || !st.Installed || st.Drift != nil {
		t.Errorf("Status: %+v, %v, want packaged and without drift", st, err)
	}
	if _, err := w.sup().Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.files(); len(got) != 0 {
		t.Errorf("Uninstall left %q", got)
	}
}

func TestInstall_refuses(t *testing.T) {
	mask := func(unit string) func(*world) {
		return func(w *world) {
			os.MkdirAll(w.units(), 0o755)
			if err := os.Symlink(os.DevNull, filepath.Join(w.units(), unit)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name string
		exe  string
		prep func(*world)
		want string
	}{
		{"an executable that is not there", "/nowhere/moatd", nil, "no such file"},
		{"one that is none", "/etc/passwd", nil, "is no program"},
		{"one that systemd could not start", "EXE\"", nil, "characters that systemd refuses"},
		{"a masked service", "", mask("moatd.service"), "moatd.service is masked, so that nothing can start it; systemctl --user unmask moatd.service"},
		{"a masked socket", "", mask("moatd.socket"), "systemctl --user unmask moatd.socket"},
		{"a port that is taken", "", func(w *world) {
			w.install(supervisor.InstallOptions{})
			w.change("moatd-proxy.socket", func(u *fakeUnit) { u.Active, u.Busy = "inactive", true })
		}, "moatd-proxy.socket does not listen on 127.0.0.1:19080: resources, another program has the address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.prep != nil {
				tt.prep(w)
			}
			exe := w.exe
			if tt.exe != "" {
				if exe = strings.ReplaceAll(tt.exe, "EXE", w.exe); exe != tt.exe {
					os.Link(w.exe, exe)
				}
			}
			_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: exe})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Install: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestInstall_doesWithoutThePortOfTheNames(t *testing.T) {
	w := newWorld(t)
	w.change("moatd-routing.socket", func(u *fakeUnit) { u.Busy = true })
	done := w.install(supervisor.InstallOptions{})
	if notes := strings.Join(done.Notes, "\n"); !strings.Contains(notes, "moatd-routing.socket does not listen on 127.0.0.1:8080") {
		t.Errorf("notes %q, want that the names of agents do not work", done.Notes)
	}
}

func TestInstall_linger(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{Linger: true})
	if calls := w.calls(); !slices.Contains(calls, "loginctl enable-linger") {
		t.Errorf("commands %q, want loginctl enable-linger", calls)
	}
	w.fail("loginctl => Could not enable linger: Access denied")
	_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe, Linger: true})
	if err == nil || !strings.Contains(err.Error(), "Access denied; sudo loginctl enable-linger") {
		t.Errorf("Install: %v, want what is missing and the command", err)
	}
	w.whole("without lingering")
}

func TestInstall_restartsADaemonThatIsOutOfDate(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{})
	w.change("moatd.service", func(u *fakeUnit) { u.Active = "active" })
	w.calls()
	w.install(supervisor.InstallOptions{})
	if calls := strings.Join(w.calls(), "\n"); strings.Contains(calls, " restart ") {
		t.Errorf("the same again restarts something:\n%s", calls)
	}
	w.install(supervisor.InstallOptions{Sandbox: supervisor.SandboxOff})
	if calls := w.calls(); !slices.Contains(calls, "systemctl restart --user moatd.service") {
		t.Errorf("another sandbox: commands %q, want a restart of the service alone", calls)
	}
}

func TestInstall_worksWhereTheLibraryDoesNot(t *testing.T) {
	for _, tt := range []struct {
		name string
		prep func(w *world)
	}{
		{"the manager has another XDG_CONFIG_HOME", func(w *world) {
			w.write(filepath.Join(w.fake, "unitpath"), filepath.Join(w.home, "etc/systemd/user"))
		}},
		{"XDG_RUNTIME_DIR is not set, as under cron", func(w *world) { w.opts.Getenv = func(string) string { return "" } }},
		{"its commands fail", func(w *world) { w.fail("systemctl enable --user => no", "systemctl daemon-reload --user => no") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.prep(w)
			w.install(supervisor.InstallOptions{})
			st, err := w.sup().Status(t.Context())
			if err != nil || !st.Installed || !st.Enabled || len(st.Drift) > 0 {
				t.Errorf("Status: %+v, %v, want installed and enabled", st, err)
			}
			if _, err := w.sup().Uninstall(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := w.files(); len(got) > 0 {
				t.Errorf("Uninstall left %q", got)
			}
		})
	}
}

func TestInstall_ofTheSystemNeedsRoot(t *testing.T) {
	w := newWorld(t)
	w.opts.System, w.opts.UID = true, 1000
	var p *supervisor.Problem
	for name, do := range map[string]func() error{
		"install": func() error {
			_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe})
			return err
		},
		"uninstall": func() error { _, err := w.sup().Uninstall(t.Context()); return err },
		"start":     func() error { return w.sup().Start(t.Context()) },
		"disable":   func() error { return w.sup().Disable(t.Context()) },
	} {
		if err := do(); !errors.As(err, &p) || p.Todo != "sudo moat daemon "+name+" --system" {
			t.Errorf("%s: %v, want the command with sudo", name, err)
		}
	}
}
