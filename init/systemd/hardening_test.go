//go:build e2e

package systemd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	initfiles "github.com/moatd/moatd/init"
)

// A row says what one directive of a unit stops.
type row struct {
	directive string   // its name
	attempt   string   // of boxprobe, with arguments
	needs     []string // lines without which the attempt would fail anyway
	end       string   // how it ends under the directive: refused unless said otherwise
}

// How a probe ends, as systemd tells it.
const (
	succeeded = "success 0"
	refused   = "exit-code 10"
	killed    = "signal 31" // SIGSYS
	dumped    = "core-dump 31"
)

// A bench is a service manager with a unit whose directives are tried.
type bench struct {
	machine
	manager []string            // systemctl and its options
	dir     string              // of its units
	base    []string            // lines that each probe has, with and without a directive
	state   string              // a directory that the service may write
	lines   map[string][]string // the unit's directives, by name
}

// testHardening looks at what a process can do, not at what its unit says:
// systemd-analyze security also praises directives that a user manager ignores.
// Each directive must stop something by itself, and all together too.
func (m machine) testHardening(t *testing.T) {
	m.furnish(t)
	plain := m.user(t)
	plain.complete(t, rowsOfAny)
	plain.hold(t, rowsOfAny)

	sandboxed := plain
	sandboxed.base = []string{"PrivateUsers=yes"}
	sandboxed.lines = directives(t, userUnit(t)+initfiles.Sandbox())
	sandboxed.complete(t, rowsOfAny, rowsOfNamespaces, rowsOfSandbox)
	sandboxed.hold(t, slices.Concat(rowsOfAny[1:], rowsOfNamespaces, rowsOfSandbox[1:])) // the first is of PrivateUsers too
	sandboxed.base = nil
	sandboxed.hold(t, rowsOfSandbox[:1])
}

// user is the user's manager, with the unit as it is without the drop-in.
func (m machine) user(t *testing.T) bench {
	t.Helper()
	return bench{
		machine: m, manager: []string{"exec", "--user", "systemctl", "--user"}, dir: "/home/moat/.config/systemd/user/",
		state: "/home/moat/.moat", lines: directives(t, userUnit(t)),
	}
}

// furnish makes what the probes try to get at.
func (m machine) furnish(t *testing.T) {
	t.Helper()
	bin := build(t)
	m.push(t, bin+"/boxprobe", "/usr/local/lib/probe/probe")
	m.push(t, build386(t), "/usr/local/lib/probe/386")
	m.asRoot(t, "sh", "-ec", `
		cd /usr/local/lib/probe
		cp probe suid; chmod 4755 suid
		cp probe able; ./probe give-powers able
		mkdir -p -m 0777 /srv/open /usr/lib/modules/1
		chmod 0777 /srv/open
		echo others >/tmp/others; chmod 0644 /tmp/others
		for node in openly:3 kmsg:11; do
			test -e /dev/${node%:*} || mknod -m 0666 /dev/${node%:*} c 1 ${node#*:}
		done
		mkdir -p /sys/fs/cgroup/openly; chmod 0777 /sys/fs/cgroup/openly`)
}

func userUnit(t *testing.T) string {
	t.Helper()
	text, err := initfiles.Unit("moatd.service", "/usr/bin/moatd")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// directives returns the lines of the section Service, by their names.
func directives(t *testing.T, text string) map[string][]string {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]string{}
	for _, o := range options {
		if o.Section == "Service" {
			lines[o.Name] = append(lines[o.Name], o.Name+"="+o.Value)
		}
	}
	return lines
}

// hold tries each row without the directive, with it alone, and with all of the
// unit's.
func (b bench) hold(t *testing.T, rows []row) {
	t.Helper()
	probes := map[string]string{}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(b.lines)) {
		if b.confines(name) {
			all = append(all, b.lines[name]...)
		}
	}
	for i, r := range rows {
		name := fmt.Sprintf("probe-%02d", i)
		alone := slices.Concat(b.base, r.needs, b.lines[r.directive], b.lines["SystemCallErrorNumber"])
		probes[name+"a.service"] = b.probe(r, slices.Concat(b.base, r.needs))
		probes[name+"b.service"] = b.probe(r, alone)
		probes[name+"c.service"] = b.probe(r, all)
	}
	// The key of a service that has the manager's session keyring, as all do by default.
	probes["probe--key.service"] = b.probe(row{attempt: "put-key moatd-test"}, append(slices.Clone(b.base), "KeyringMode=inherit"))
	ends := b.start(t, probes)
	for i, r := range rows {
		name := fmt.Sprintf("probe-%02d", i)
		without, alone, together := ends[name+"a.service"], ends[name+"b.service"], ends[name+"c.service"]
		want := r.end
		if want == "" {
			want = refused
		}
		t.Logf("%-26s %-48s without %-14s alone %-14s together %s", r.directive, r.attempt, without, alone, together)
		if without != succeeded {
			t.Errorf("%s: %s fails without it: %s; so it shows nothing", r.directive, r.attempt, without)
		}
		for how, got := range map[string]string{"alone": alone, "with all others": together} {
			if got != want && (want != killed || got != dumped) {
				t.Errorf("%s %s: %s ends with %q, want %q", r.directive, how, r.attempt, got, want)
			}
		}
	}
}

// complete fails t for each directive of the unit that has no row.
func (b bench) complete(t *testing.T, rows ...[]row) {
	t.Helper()
	for name := range b.lines {
		has := func(r row) bool { return r.directive == name }
		if !slices.ContainsFunc(slices.Concat(rows...), has) && !slices.Contains(operational, name) {
			t.Errorf("no row shows what %s= stops", name)
		}
	}
}

// confines reports whether a directive belongs to what a service may do.
func (bench) confines(name string) bool {
	return !slices.Contains(operational, name) ||
		slices.Contains([]string{"ReadWritePaths", "SystemCallErrorNumber", "StateDirectory", "StateDirectoryMode", "Group"}, name)
}

// probe returns the text of a unit that tries r's attempt under lines.
func (b bench) probe(r row, lines []string) string {
	command := "probe"
	args, program := strings.CutPrefix(r.attempt, "386 ")
	if program {
		command = "386"
	}
	args = strings.ReplaceAll(args, "%STATE", b.state)
	return "[Service]\nType=oneshot\nWorkingDirectory=" + b.state + "\n" + strings.Join(lines, "\n") +
		"\nExecStart=/usr/local/lib/probe/" + command + " " + args + "\n"
}

// start runs the units, one after the other, and returns how each ended.
func (b bench) start(t *testing.T, units map[string]string) map[string]string {
	t.Helper()
	var script strings.Builder
	names := slices.Sorted(maps.Keys(units))
	fmt.Fprintf(&script, "mkdir -p %s; cd %s\n", b.dir, b.dir)
	for _, name := range names {
		fmt.Fprintf(&script, "cat >%s <<'END'\n%sEND\n", name, units[name])
	}
	ctl := strings.Join(b.manager[slices.Index(b.manager, "systemctl"):], " ")
	fmt.Fprintf(&script, "%s daemon-reload\nfor u in %s; do\n%s start $u 2>/dev/null\n", ctl, strings.Join(names, " "), ctl)
	fmt.Fprintf(&script, "echo $u $(%s show -p Result --value $u) $(%s show -p ExecMainStatus --value $u)\ndone\n", ctl, ctl)
	fmt.Fprintf(&script, "rm -f %s; %s daemon-reload; %s reset-failed\n", strings.Join(names, " "), ctl, ctl)
	args := append(slices.Clone(b.manager[:slices.Index(b.manager, "systemctl")]), "sh")
	out := must(t, b.boxWith(t.Context(), script.String(), args...), args)
	ends := map[string]string{}
	for line := range strings.Lines(out) {
		name, end, _ := strings.Cut(strings.TrimSpace(line), " ")
		ends[name] = end
	}
	return ends
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
