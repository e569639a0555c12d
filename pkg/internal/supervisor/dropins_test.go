package supervisor_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func TestInstall_listen(t *testing.T) {
	w := newWorld(t)
	w.install(supervisor.InstallOptions{Listen: []netip.AddrPort{
		netip.MustParseAddrPort("172.17.0.1:19080"), netip.MustParseAddrPort("[fd00::1]:19080"),
	}})
	got := w.read(filepath.Join(w.units(), "moatd-proxy.socket.d/50-listen.conf"))
	want := "# Written by moat daemon install.\n[Socket]\nListenStream=172.17.0.1:19080\nListenStream=[fd00::1]:19080\nFreeBind=yes\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drop-in, -want +got:\n%s", diff)
	}
	for addr, want := range map[string]string{
		"0.0.0.0:19080": "every network", "[::]:19080": "every network", "[::ffff:0.0.0.0]:1": "every network",
		"172.17.0.1:0": "cannot be 0", "224.0.0.1:1": "for many", "255.255.255.255:1": "for many",
	} {
		_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe, Listen: []netip.AddrPort{netip.MustParseAddrPort(addr)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Install listening on %s: %v, want an error with %q", addr, err, want)
		}
	}
	done := w.install(supervisor.InstallOptions{Listen: []netip.AddrPort{netip.MustParseAddrPort("203.0.113.9:19080")}})
	if !strings.Contains(strings.Join(done.Notes, "\n"), "public address") {
		t.Errorf("notes for a public address: %q, want a warning", done.Notes)
	}
}

func TestInstall_sandbox(t *testing.T) {
	dropIn := func(w *world) bool {
		_, err := os.Stat(filepath.Join(w.units(), "moatd.service.d/50-sandbox.conf"))
		return err == nil
	}
	for _, tt := range []struct {
		name    string
		sandbox supervisor.Sandbox
		works   bool
		want    bool
		wantErr bool
	}{
		{"auto, where it works", supervisor.SandboxAuto, true, true, false},
		{"nothing said is auto", "", true, true, false},
		{"auto, where it does not", supervisor.SandboxAuto, false, false, false},
		{"on, where it works", supervisor.SandboxOn, true, true, false},
		{"on, where it does not", supervisor.SandboxOn, false, false, true},
		{"off", supervisor.SandboxOff, true, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.install(supervisor.InstallOptions{}) // it was there before
			if !tt.works {
				w.fail("systemd-run => Failed to set up user namespacing")
			}
			done, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe, Sandbox: tt.sandbox})
			if (err != nil) != tt.wantErr {
				t.Fatalf("Install: %v, want an error: %v", err, tt.wantErr)
			}
			if got := dropIn(w); err == nil && got != tt.want {
				t.Errorf("drop-in: %v, want %v", got, tt.want)
			}
			if err == nil && !tt.works && !strings.Contains(strings.Join(done.Notes, "\n"), "user namespacing") {
				t.Errorf("notes %q, want the reason", done.Notes)
			}
		})
	}
}

func TestInstall_sandboxHasAHoleWhereTheStateIs(t *testing.T) {
	for home, want := range map[string]string{
		"/srv/moat":      `ReadWritePaths="/srv/moat"`,
		"/srv/100% moat": `ReadWritePaths="/srv/100%% moat"`,
		"/srv/my\nmoat":  "",
		"/tmp/moat":      "",
	} {
		w := newWorld(t)
		w.opts.MoatHome = home
		_, err := w.sup().Install(t.Context(), supervisor.InstallOptions{Exe: w.exe, Sandbox: supervisor.SandboxOn})
		if want == "" {
			if err == nil {
				t.Errorf("Install with the state in %q: no error", home)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text := w.read(filepath.Join(w.units(), "moatd.service.d/50-sandbox.conf"))
		if !slices.Contains(strings.Split(text, "\n"), want) {
			t.Errorf("with the state in %q no line %q in:\n%s", home, want, text)
		}
		trial := slices.DeleteFunc(w.calls(), func(line string) bool { return !strings.HasPrefix(line, "systemd-run") })
		if len(trial) != 1 || !strings.Contains(trial[0], "--property=PrivateUsers=yes") || strings.Contains(trial[0], "%h") {
			t.Errorf("trials %q, want one with the directives, and no specifier, which systemd-run leaves", trial)
		}
	}
}
