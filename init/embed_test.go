package initfiles_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	"github.com/google/go-cmp/cmp"
	initfiles "github.com/moatd/moatd/init"
)

const packaged = "/usr/bin/moatd"

func TestUnit_execStart(t *testing.T) {
	for _, tt := range []struct{ name, exe, want string }{
		{"a plain path is not quoted", "/opt/moat/bin/moatd", "/opt/moat/bin/moatd serve"},
		{"a space needs quotes, or the rest would be arguments", "/home/al/my tools/moatd", `"/home/al/my tools/moatd" serve`},
		{"a percent sign is doubled, or it would be a specifier", "/opt/100%h/moatd", "/opt/100%%h/moatd serve"},
		{"both at once", "/opt/50 %/moatd", `"/opt/50 %%/moatd" serve`},
		{"a wide space of Unicode is quoted too", "/opt/a\u2003b/moatd", "\"/opt/a\u2003b/moatd\" serve"},
		{"a semicolon could end the command", "/opt/; /moatd", `"/opt/; /moatd" serve`},
		{"a dollar stays, as systemd does not expand the executable", "/opt/$HOME/moatd", "/opt/$HOME/moatd serve"},
		{"letters of other alphabets stay", "/home/zoë/鍵/moatd", "/home/zoë/鍵/moatd serve"},
		{"an email sign inside is no prefix", "/opt/@moat/moatd", "/opt/@moat/moatd serve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := option(parse(t, "moatd.service", tt.exe), "Service", "ExecStart")
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("ExecStart of Unit(moatd.service, %q), -want +got:\n%s", tt.exe, diff)
			}
		})
	}
}

func TestUnit_refuses(t *testing.T) {
	for _, tt := range []struct{ name, unit, exe, want string }{
		{"a unit that is not ours", "sshd.service", packaged, "no unit"},
		{"the way out of the directory", "../systemd/moatd.service", packaged, "no unit"},
		{"no unit at all", "", packaged, "no unit"},
		{"no executable", "moatd.service", "", "not an absolute"},
		{"a relative executable, since units have no working directory", "moatd.service", "bin/moatd", "not an absolute"},
		{"a path that is not clean, which systemd would compare with another", "moatd.service", "/usr/../bin/moatd", "not an absolute"},
		{"a directory's spelling", "moatd.service", "/usr/bin/moatd/", "not an absolute"},
		{"the root", "moatd.service", "/", "not an absolute"},
		{"a line break, which would start another directive", "moatd.service", "/a\nExecStartPre=/bin/evil", "refuses"},
		{"a carriage return", "moatd.service", "/a\rb", "refuses"},
		{"a NUL", "moatd.service", "/a\x00b", "refuses"},
		{"a quote", "moatd.service", `/a"b`, "refuses"},
		{"an apostrophe", "moatd.service", "/al's/moatd", "refuses"},
		{"a backslash, even at the end, where it would join lines", "moatd.service", `/a\`, "refuses"},
		{"bytes that are not UTF-8", "moatd.service", "/a\xffb", "refuses"},
		{"a bad executable also for a socket, which does not have it", "moatd.socket", "moatd", "not an absolute"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := initfiles.Unit(tt.unit, tt.exe)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Unit(%q, %q) = %q, %v; want an error with %q", tt.unit, tt.exe, got, err, tt.want)
			}
		})
	}
}

// The deb and the rpm copy the files; `moat daemon install` renders them.
func TestUnit_asPackagedIsTheFile(t *testing.T) {
	for _, name := range initfiles.UnitNames() {
		want, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := initfiles.Unit(name, packaged)
		if err != nil {
			t.Fatalf("Unit(%q): %v", name, err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("Unit(%q, %q), -file +got:\n%s", name, packaged, diff)
		}
	}
}

func TestUnit_changesNothingButTheCommand(t *testing.T) {
	for _, name := range initfiles.UnitNames() {
		before, after := parse(t, name, packaged), parse(t, name, "/opt/moatd")
		for i, o := range before {
			if *o != *after[i] && o.Name != "ExecStart" {
				t.Errorf("Unit(%q): %v became %v with another executable", name, o, after[i])
			}
		}
	}
}

func TestUnitNames_areAllUnitsInTheDirectory(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.socket", "*.service", "*.timer", "*.path", "*.target"} {
		found, err := fs.Glob(os.DirFS("systemd"), pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	names := initfiles.UnitNames()
	if len(files) != len(names) {
		t.Errorf("UnitNames() = %q, want those of the directory, %q", names, files)
	}
	if last := names[len(names)-1]; last != "moatd.service" {
		t.Errorf("last of UnitNames() = %q, want the service after its sockets", last)
	}
}

// Property: what Unit accepts, a parser of unit files reads as one command, whose
// executable is the one that was given.
func FuzzUnit(f *testing.F) {
	for _, exe := range []string{packaged, "/a b/moatd", "/100%/moatd", "/a\nb", `/"`, "/;", "/%%/$X"} {
		f.Add(exe)
	}
	f.Fuzz(func(t *testing.T, exe string) {
		text, err := initfiles.Unit("moatd.service", exe)
		if err != nil {
			return
		}
		options, err := unit.DeserializeOptions(strings.NewReader(text))
		if err != nil {
			t.Fatalf("Unit(%q): not a unit file: %v", exe, err)
		}
		commands := option(options, "Service", "ExecStart")
		if len(commands) != 1 {
			t.Fatalf("Unit(%q): ExecStart %q, want one", exe, commands)
		}
		got := strings.TrimSuffix(commands[0], " serve")
		if strings.HasPrefix(got, `"`) {
			got = strings.Trim(got, `"`)
		} else if strings.ContainsAny(got, " \t;") {
			t.Errorf("Unit(%q): unquoted %q is more than one word", exe, got)
		}
		if got = strings.ReplaceAll(got, "%%", "%"); got != exe {
			t.Errorf("Unit(%q): systemd reads the executable %q", exe, got)
		}
	})
}

func BenchmarkUnit(b *testing.B) {
	for b.Loop() {
		if _, err := initfiles.Unit("moatd.service", "/opt/my tools/moatd"); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleUnit() {
	text, err := initfiles.Unit("moatd.service", "/opt/my tools/moatd")
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ExecStart=") {
			fmt.Print(line)
		}
	}
	// Output: ExecStart="/opt/my tools/moatd" serve
}

func parse(t *testing.T, name, exe string) []*unit.UnitOption {
	t.Helper()
	text, err := initfiles.Unit(name, exe)
	if err != nil {
		t.Fatalf("Unit(%q, %q): %v", name, exe, err)
	}
	return parseText(t, text)
}

func parseText(t *testing.T, text string) []*unit.UnitOption {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	if err != nil {
		t.Fatalf("no unit file: %v\n%s", err, text)
	}
	return options
}

// option returns the values of all lines called name in a section.
func option(options []*unit.UnitOption, section, name string) []string {
	var values []string
	for _, o := range options {
		if o.Section == section && o.Name == name {
			values = append(values, o.Value)
		}
	}
	return values
}
