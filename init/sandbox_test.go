package initfiles_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	initfiles "github.com/moatd/moatd/init"
)

func TestSandboxFor_names(t *testing.T) {
	for _, tt := range []struct{ name, home, path, arg string }{
		{"a plain path", "/srv/moat", `"/srv/moat"`, `"/srv/moat"`},
		{"a space does not end the word", "/srv/my moat", `"/srv/my moat"`, `"/srv/my moat"`},
		{"a percent sign is doubled, or it would be a specifier", "/srv/100%h", `"/srv/100%%h"`, `"/srv/100%%h"`},
		{"a quote does not end the word", `/srv/a"b`, `"/srv/a\"b"`, `"/srv/a\"b"`},
		{"a backslash stays one", `/srv/a\b`, `"/srv/a\\b"`, `"/srv/a\\b"`},
		{"a dollar would be a variable, in a command alone", "/srv/$HOME", `"/srv/$HOME"`, `"/srv/$$HOME"`},
		{"a dash is part of the name", "/-srv", `"/-srv"`, `"/-srv"`},
		{"letters of other alphabets stay", "/srv/鍵", `"/srv/鍵"`, `"/srv/鍵"`},
		{"a name that begins like /tmp is another", "/tmpfs/moat", `"/tmpfs/moat"`, `"/tmpfs/moat"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := initfiles.SandboxFor(tt.home)
			if err != nil {
				t.Fatalf("SandboxFor(%q): %v", tt.home, err)
			}
			options := parseText(t, text)
			if got := option(options, "Service", "ReadWritePaths"); !slices.Contains(got, tt.path) {
				t.Errorf("SandboxFor(%q): ReadWritePaths=%q, want %s", tt.home, got, tt.path)
			}
			want := "+/bin/mkdir -p -m 0700 " + tt.arg
			if got := option(options, "Service", "ExecStartPre"); !slices.Equal(got, []string{want}) {
				t.Errorf("SandboxFor(%q): ExecStartPre=%q, want %s", tt.home, got, want)
			}
			if strings.Contains(text, "%h/.moat") {
				t.Errorf("SandboxFor(%q) is about ~/.moat too:\n%s", tt.home, text)
			}
		})
	}
}

func TestSandboxFor_refuses(t *testing.T) {
	for _, tt := range []struct{ name, home, want string }{
		{"no directory", "", "not an absolute"},
		{"a relative directory", "moat", "not an absolute"},
		{"a directory that is not clean", "/srv/../moat", "not an absolute"},
		{"the root", "/", "not an absolute"},
		{"a line break, which would start another directive", "/a\nExecStartPre=/bin/evil", "no unit file"},
		{"bytes that are not UTF-8", "/a\xff", "no unit file"},
		{"a directory that the service has another of", "/tmp/moat", "/tmp of its own"},
		{"one that the service has another of as well", "/var/tmp/moat", "/var/tmp of its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := initfiles.SandboxFor(tt.home); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("SandboxFor(%q) = %q, %v; want an error with %q", tt.home, got, err, tt.want)
			}
		})
	}
}

func TestSandbox_isTheFile(t *testing.T) {
	want, err := os.ReadFile("systemd/sandbox.conf")
	if err != nil {
		t.Fatal(err)
	}
	if got := initfiles.Sandbox(); got != string(want) {
		t.Errorf("Sandbox() = %q, want the file", got)
	}
}

// A drop-in adds to the lists of a unit, and replaces what is no list.
func TestSandbox_takesNothingBackFromTheUnit(t *testing.T) {
	lists := []string{"ReadWritePaths", "ExecStartPre"}
	have := parse(t, "moatd.service", packaged)
	for _, o := range parseText(t, initfiles.Sandbox()) {
		if !slices.Contains(lists, o.Name) && len(option(have, o.Section, o.Name)) > 0 {
			t.Errorf("the drop-in sets %s= again, which the unit has", o.Name)
		}
	}
}

// What the user's unit and its drop-in confine, the system's does too.
func TestSystemUnit_confinesWhatTheUsersDoes(t *testing.T) {
	text, err := initfiles.SystemUnit("moatd.service", packaged)
	if err != nil {
		t.Fatal(err)
	}
	system := parseText(t, text)
	other := map[string]string{
		"KeyringMode":    "private is what the system's manager gives by itself",
		"ProtectHome":    "yes, since its own home is elsewhere",
		"ReadWritePaths": "StateDirectory= says it", "ExecStartPre": "StateDirectory= does it",
	}
	for _, o := range slices.Concat(parse(t, "moatd.service", packaged), parseText(t, initfiles.Sandbox())) {
		if _, ok := other[o.Name]; ok || o.Section == "Install" {
			continue
		}
		if got := option(system, o.Section, o.Name); !slices.Contains(got, o.Value) {
			t.Errorf("the system's unit has [%s] %s=%q, and the user's %q", o.Section, o.Name, got, o.Value)
		}
	}
	for name, want := range map[string]string{"User": "moat", "Group": "moat", "StateDirectory": "moat", "ProtectHome": "yes"} {
		if got := option(system, "Service", name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
}

func TestSystemUnit_socket(t *testing.T) {
	text, err := initfiles.SystemUnit("moatd.socket", packaged)
	if err != nil {
		t.Fatal(err)
	}
	options := parseText(t, text)
	for _, tt := range []struct{ reason, name, want string }{
		{"root makes nothing in a directory of the account", "ListenStream", "/run/moat/moatd.sock"},
		{"the account may connect", "SocketUser", "moat"},
		{"and no other", "SocketMode", "0600"},
		{"nobody puts another file there", "DirectoryMode", "0711"},
		{"the account makes its own link", "User", "moat"},
	} {
		if got := option(options, "Socket", tt.name); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %s=%q, want %q", tt.reason, tt.name, got, tt.want)
		}
	}
}

func TestSystemUnit_refusesWhatIsNoUnit(t *testing.T) {
	if got, err := initfiles.SystemUnit("moatd.sysusers", packaged); err == nil {
		t.Errorf("SystemUnit(moatd.sysusers) = %q, want an error", got)
	}
}

func TestSysusers(t *testing.T) {
	var lines []string
	for line := range strings.Lines(initfiles.Sysusers()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if want := "u moat - \"Moat credential proxy\" /var/lib/moat\n"; !slices.Equal(lines, []string{want}) {
		t.Errorf("Sysusers() = %q, want %q", lines, want)
	}
}

// Property: what SandboxFor accepts, systemd reads as one path, the one given.
func FuzzSandboxFor(f *testing.F) {
	for _, home := range []string{"/srv/moat", "/a b", `/"`, `/\`, "/%h", "/$X", "/a\nb", "/-x"} {
		f.Add(home)
	}
	f.Fuzz(func(t *testing.T, home string) {
		text, err := initfiles.SandboxFor(home)
		if err != nil {
			return
		}
		options, err := unit.DeserializeOptions(strings.NewReader(text))
		if err != nil {
			t.Fatalf("SandboxFor(%q): not a unit file: %v", home, err)
		}
		word := option(options, "Service", "ReadWritePaths")[0]
		if got := unquote(word); got != home {
			t.Errorf("SandboxFor(%q) makes %q writable", home, got)
		}
	})
}

// unquote reads a quoted word as systemd does.
func unquote(word string) string {
	word = strings.TrimSuffix(strings.TrimPrefix(word, `"`), `"`)
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `%%`, `%`).Replace(word)
}

func ExampleSandboxFor() {
	text, err := initfiles.SandboxFor("/srv/my moat")
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ReadWritePaths=\"") {
			fmt.Print(line)
		}
	}
	// Output: ReadWritePaths="/srv/my moat"
}
