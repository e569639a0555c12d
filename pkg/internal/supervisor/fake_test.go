package supervisor_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain makes the test binary a command of the system where it is called by
// the name of one.
func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if !slices.Contains(fakes, name) {
		os.Exit(m.Run())
	}
	os.Exit(fakeMain(os.Getenv("FAKE_SYSTEMD"), name, os.Args[1:]))
}

var fakes = []string{"systemctl", "systemd-run", "systemd-sysusers", "loginctl", "journalctl", "userdel"}

// fakeUnit is a unit as the fake manager has it in its memory.
type fakeUnit struct {
	Text   string // of the file and the drop-ins, as of the last daemon-reload
	Active string
	Result string
	Opened int    // how often a socket was opened
	Busy   bool   // the address of a socket is taken
	Reason string // with which the service would fail, "" if it does not
}

// fakeMain does what the command does, as far as moatd asks for it. Its state is
// in files of dir; calls has what it was asked, and fail the beginning of a line
// that is to fail, with what to say.
func fakeMain(dir, name string, args []string) int {
	line := strings.Join(append([]string{name}, args...), " ")
	appendTo(filepath.Join(dir, "calls"), line+"\n")
	fails, _ := os.ReadFile(filepath.Join(dir, "fail"))
	for f := range strings.Lines(string(fails)) {
		start, say, _ := strings.Cut(strings.TrimSpace(f), " => ")
		if strings.HasPrefix(line, start) {
			fmt.Fprintln(os.Stderr, say)
			return 1
		}
	}
	if name != "systemctl" {
		out, _ := os.ReadFile(filepath.Join(dir, name+".out"))
		os.Stdout.Write(out)
		return 0
	}
	f := fakeManager{dir: dir, units: map[string]*fakeUnit{}}
	f.load()
	defer f.save()
	return f.systemctl(slices.DeleteFunc(args, func(a string) bool { return a == "--user" || a == "--quiet" }))
}

func appendTo(path, text string) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	f.WriteString(text)
}

// fakeManager is a manager of systemd with moatd's units.
type fakeManager struct {
	dir   string
	units map[string]*fakeUnit
}

func (f *fakeManager) load() {
	if data, err := os.ReadFile(filepath.Join(f.dir, "state")); err == nil {
		if err := json.Unmarshal(data, &f.units); err != nil {
			panic(err)
		}
	}
}

func (f *fakeManager) save() {
	data, err := json.Marshal(f.units)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "state"), data, 0o600); err != nil {
		panic(err)
	}
}

// unitPath has the directories of units, the user's before the package's.
func (f *fakeManager) unitPath() []string {
	path, _ := os.ReadFile(filepath.Join(f.dir, "unitpath"))
	return strings.Fields(string(path))
}

// ours is the directory for the user's own units.
func (f *fakeManager) ours() string {
	all := f.unitPath()
	return all[slices.IndexFunc(all, func(dir string) bool { return filepath.Base(dir) == "user" })]
}

// file returns the path of a unit's file, "" if there is none.
func (f *fakeManager) file(unit string) string {
	for _, dir := range f.unitPath() {
		if _, err := os.Lstat(filepath.Join(dir, unit)); err == nil {
			return filepath.Join(dir, unit)
		}
	}
	return ""
}

func (f *fakeManager) dropIns(unit string) []string {
	var all []string
	for _, dir := range f.unitPath() {
		found, _ := filepath.Glob(filepath.Join(dir, unit+".d", "*.conf"))
		all = append(all, found...)
	}
	return all
}

// text is what the manager would read of a unit now.
func (f *fakeManager) text(unit string) string {
	data, _ := os.ReadFile(f.file(unit))
	text := string(data)
	for _, path := range f.dropIns(unit) {
		more, _ := os.ReadFile(path)
		text += string(more)
	}
	return text
}

func (f *fakeManager) unit(name string) *fakeUnit {
	if f.units[name] == nil {
		f.units[name] = &fakeUnit{Text: f.text(name), Active: "inactive", Result: "success"}
	}
	return f.units[name]
}

func (f *fakeManager) systemctl(args []string) int {
	units := args[1:]
	switch args[0] {
	case "show":
		if slices.Contains(args, "--property=UnitPath") {
			fmt.Println(strings.Join(f.unitPath(), " "))
			return 0
		}
		for _, name := range slices.DeleteFunc(units, func(a string) bool { return strings.HasPrefix(a, "--") }) {
			fmt.Println(f.show(name))
		}
	case "daemon-reload":
		for name, u := range f.units {
			u.Text = f.text(name)
		}
	case "enable", "disable":
		return f.link(args[0], units)
	case "start", "restart", "stop", "reload":
		return f.jobs(args[0], units)
	case "reset-failed":
		for _, name := range units {
			if u := f.unit(name); u.Active == "failed" {
				u.Active, u.Result = "inactive", "success"
			}
		}
	}
	return 0
}

func (f *fakeManager) show(name string) string {
	u, file := f.unit(name), f.file(name)
	load := "loaded"
	if target, err := os.Readlink(file); err == nil && target == os.DevNull {
		load = "masked"
	} else if file == "" && u.Active != "active" {
		load = "not-found"
	} else if strings.TrimSpace(u.Text) == "" { // systemd takes a file of no bytes for a mask
		load = "masked"
	}
	state := "disabled"
	if _, err := os.Lstat(filepath.Join(f.ours(), "sockets.target.wants", name)); err == nil {
		state = "enabled"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Id=%s\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\nFragmentPath=%s\nDropInPaths=%s\nResult=%s\n",
		name, load, u.Active, state, file, strings.Join(f.dropIns(name), " "), u.Result)
	fmt.Fprintf(&b, "NeedDaemonReload=%s\n", map[bool]string{true: "yes", false: "no"}[u.Text != f.text(name)])
	for line := range strings.Lines(u.Text) {
		if addr, ok := strings.CutPrefix(line, "ListenStream="); ok {
			fmt.Fprintf(&b, "Listen=%s (Stream)\n", strings.TrimSpace(addr))
		}
		if cmd, ok := strings.CutPrefix(line, "ExecStart="); ok {
			path := strings.TrimSuffix(strings.TrimSpace(cmd), " serve")
			fmt.Fprintf(&b, "ExecStart={ path=%s ; argv[]=%s serve ; }\n", path, path)
		}
	}
	if strings.HasSuffix(name, ".service") {
		fmt.Fprintf(&b, "MainPID=%d\nNRestarts=3\nStatusText=serving 2 runs\nExecMainStatus=0\nExecMainStartTimestamp=@99999999999\nStateChangeTimestamp=@1700000000\n",
			map[bool]int{true: 4242}[u.Active == "active"])
	}
	return b.String()
}

// link makes or removes the links that WantedBy=sockets.target asks for, also of
// the units that the service names with Also=.
func (f *fakeManager) link(verb string, units []string) int {
	dir := filepath.Join(f.ours(), "sockets.target.wants")
	for _, name := range units {
		if f.file(name) == "" {
			fmt.Fprintf(os.Stderr, "Failed to %s unit: Unit file %s does not exist.\n", verb, name)
			return 1
		}
		if strings.HasSuffix(name, ".service") {
			continue
		}
		path := filepath.Join(dir, name)
		if verb == "disable" {
			os.Remove(path)
			os.Remove(dir)
			continue
		}
		os.MkdirAll(dir, 0o755)
		os.Remove(path)
		if err := os.Symlink(f.file(name), path); err != nil {
			panic(err)
		}
	}
	return 0
}

// jobs does what one transaction of systemd does: it stops the service before the
// sockets, and starts it after them.
func (f *fakeManager) jobs(verb string, units []string) int {
	const service = "moatd.service"
	code := 0
	withService := slices.Contains(units, service)
	if withService && verb != "start" {
		if verb == "reload" {
			return 0
		}
		f.unit(service).Active = "inactive"
	}
	for _, name := range slices.DeleteFunc(slices.Clone(units), func(n string) bool { return n == service }) {
		u := f.unit(name)
		if verb == "stop" || verb == "restart" {
			u.Active = "inactive"
		}
		if verb == "stop" || u.Active == "active" {
			continue
		}
		if f.unit(service).Active == "active" {
			fmt.Fprintln(os.Stderr, "Socket service already active, refusing.")
			code = 1
			continue
		}
		if u.Busy || strings.TrimSpace(u.Text) == "" {
			u.Active, u.Result, code = "failed", "resources", 1
			continue
		}
		u.Active, u.Result = "active", "success"
		u.Opened++
	}
	if withService && verb != "stop" {
		u := f.unit(service)
		u.Active, u.Result = "active", "success"
		if u.Reason != "" {
			u.Active, u.Result, code = "failed", u.Reason, 1
		}
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "Job failed. See \"journalctl -xe\" for details.")
	}
	return code
}
