package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	initfiles "github.com/moatd/moatd/init"
)

// A mac is a home directory with a launchctl, that of testdata, and an installed
// program.
type mac struct {
	t    *testing.T
	dir  string // of launchctl's state
	home string
	exe  string
	*launchd
}

func newMac(t *testing.T) *mac {
	t.Helper()
	script, err := filepath.Abs("testdata/launchctl")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp("", "mac") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	m := &mac{t: t, dir: filepath.Join(root, "launchd"), home: filepath.Join(root, "me"), exe: filepath.Join(root, "moatd")}
	for _, dir := range []string{m.dir, m.home} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(script, filepath.Join(m.dir, "launchctl")); err != nil {
		t.Fatal(err)
	}
	l, ok := newLaunchd(Options{UID: 501, UserHome: m.home, MoatHome: filepath.Join(m.home, ".moat"), Environ: os.Environ()}).(*launchd)
	if !ok {
		t.Fatal("newLaunchd returned another kind of supervisor")
	}
	m.launchd = l
	m.program = filepath.Join(m.dir, "launchctl")
	m.file = func(text string) (installer, error) { return &libraryLike{m.plist(), text}, nil }
	m.set("socket", m.socket())
	m.upgrade("one")
	return m
}

// libraryLike does what kardianos/service does with the agent's file.
type libraryLike struct{ path, text string }

func (i *libraryLike) Install() error {
	if _, err := os.Stat(i.path); err == nil {
		return errors.New("Init already exists: " + i.path)
	}
	if err := os.MkdirAll(filepath.Dir(i.path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(i.path, []byte(i.text), 0o664) // as with a umask of 002
}

func (i *libraryLike) Uninstall() error { return os.Remove(i.path) }

// upgrade puts another version of the program in its place.
func (m *mac) upgrade(version string) {
	m.t.Helper()
	if err := os.WriteFile(m.exe, []byte("moatd "+version), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mac) socket() string { return m.agent("").Socket() }

// set writes a file of launchctl's state.
func (m *mac) set(name, value string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(value+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// get reads one; "" if there is none.
func (m *mac) get(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func (m *mac) unset(name string) {
	m.t.Helper()
	if err := os.Remove(filepath.Join(m.dir, name)); err != nil {
		m.t.Fatal(err)
	}
}

// calls returns what launchctl was called with since the last time.
func (m *mac) calls() []string {
	m.t.Helper()
	all := m.get("calls")
	m.set("calls", "")
	return slices.DeleteFunc(strings.Split(all, "\n"), func(s string) bool { return s == "" })
}

// changes are the calls that change something.
func (m *mac) changes() []string {
	var list []string
	for _, s := range m.calls() {
		if !strings.HasPrefix(s, "print") && !strings.HasPrefix(s, "list") {
			list = append(list, s)
		}
	}
	return list
}

func (m *mac) install(opts InstallOptions) (Installed, error) {
	m.t.Helper()
	if opts.Exe == "" {
		opts.Exe = m.exe
	}
	return m.Install(m.t.Context(), opts)
}

func (m *mac) mustInstall(opts InstallOptions) Installed {
	m.t.Helper()
	done, err := m.install(opts)
	if err != nil {
		m.t.Fatalf("Install = %v", err)
	}
	return done
}

// wantRunning checks that launchd has the job as the file is, in the domain d
// alone, and that there is a daemon.
func (m *mac) wantRunning(d string) {
	m.t.Helper()
	text, err := os.ReadFile(m.plist())
	if err != nil {
		m.t.Fatal(err)
	}
	other := map[string]string{"gui": "user", "user": "gui"}[d]
	switch {
	case m.get("loaded."+d) != strings.TrimSpace(string(text)):
		m.t.Errorf("the job in %s is not that of the file: %q", d, m.get("loaded."+d))
	case m.get("going."+d) != "":
		m.t.Errorf("the job in %s is on its way down", d)
	case m.get("pid."+d) == "":
		m.t.Errorf("the job in %s has no process", d)
	case m.get("loaded."+other) != "":
		m.t.Errorf("the job is in %s too", other)
	case m.get("disabled") == "true":
		m.t.Error("the job is disabled")
	}
}

// wantStopped checks that launchd does not have the job.
func (m *mac) wantStopped() {
	m.t.Helper()
	for _, d := range []string{"gui", "user"} {
		if m.get("loaded."+d) != "" {
			m.t.Errorf("the job is loaded in %s", d)
		}
	}
	if _, err := os.Lstat(m.socket()); !errors.Is(err, fs.ErrNotExist) {
		m.t.Errorf("the socket: %v, want none", err)
	}
}

const (
	guiJob  = "gui/501/" + initfiles.AgentLabel
	userJob = "user/501/" + initfiles.AgentLabel
)
