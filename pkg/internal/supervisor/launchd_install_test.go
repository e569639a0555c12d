package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	initfiles "github.com/moatd/moatd/init"
)

// wantNothingLeftToDo checks that the next installation would change nothing.
func (m *mac) wantNothingLeftToDo() {
	m.t.Helper()
	if m.changed() || m.replaced() {
		m.t.Errorf("the plist differs from what launchd has: %v; the executable: %v", m.changed(), m.replaced())
	}
}

// wantNoFiles checks that nothing but the state is left in the home.
func (m *mac) wantNoFiles() {
	m.t.Helper()
	var left []string
	err := filepath.WalkDir(m.home, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left = append(left, path)
		}
		return err
	})
	if err != nil || left != nil {
		m.t.Errorf("files that are left: %q, %v", left, err)
	}
	for _, dir := range []string{filepath.Dir(m.log()), filepath.Dir(m.socket())} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			m.t.Errorf("%s: %v, want it gone", dir, err)
		}
	}
}

func TestLaunchd_install(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		done := m.mustInstall(InstallOptions{Listen: addrs("192.168.64.1:19080")})
		if diff := cmp.Diff([]string{m.plist()}, done.Files); diff != "" {
			t.Errorf("files, -want +got:\n%s", diff)
		}
		for path, want := range map[string]fs.FileMode{
			m.plist():                  0o644, // launchd refuses one that others can write
			filepath.Dir(m.socket()):   fs.ModeDir | 0o700,
			filepath.Dir(m.log()):      fs.ModeDir | 0o700,
			m.opts.MoatHome:            fs.ModeDir | 0o700,
			filepath.Join(m.home, "."): fs.ModeDir | 0o755,
		} {
			if info, err := os.Stat(path); err != nil || info.Mode() != want {
				t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
			}
		}
		text, err := os.ReadFile(m.plist())
		if err != nil {
			t.Fatal(err)
		}
		got, err := initfiles.ReadAgent(string(text))
		want := initfiles.Agent{Exe: m.exe, Home: m.opts.MoatHome, Log: m.log(), Listen: addrs("192.168.64.1:19080")}
		if err != nil || got.Exe != want.Exe || got.Home != want.Home || got.Log != want.Log || len(got.Listen) != 1 {
			t.Errorf("agent = %+v, %v; want %+v", got, err, want)
		}
		if len(done.Notes) != 1 || !strings.Contains(done.Notes[0], "192.168.64.1:19080") {
			t.Errorf("notes = %q, want one about the address", done.Notes)
		}
	})
}

func TestLaunchd_addressesOfAnEarlierInstallation(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{Listen: addrs("10.0.0.1:19080")})
		m.mustInstall(InstallOptions{})
		if a, _ := m.installedAgent(); len(a.Listen) != 1 {
			t.Errorf("without a list they are %v, want them kept", a.Listen)
		}
		m.mustInstall(InstallOptions{Listen: addrs()})
		if a, _ := m.installedAgent(); len(a.Listen) != 0 {
			t.Errorf("with an empty list they are %v, want none", a.Listen)
		}
	})
}

func TestLaunchd_installRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts func(*mac) InstallOptions
		want string
	}{
		{"an executable that is not there", func(m *mac) InstallOptions { return InstallOptions{Exe: m.exe + "x"} }, "the daemon's executable"},
		{"a directory", func(m *mac) InstallOptions { return InstallOptions{Exe: m.home} }, "is no program"},
		{"a file that is no program", func(m *mac) InstallOptions { return InstallOptions{Exe: filepath.Join(m.dir, "socket")} }, "is no program"},
		{"a sandbox, which would be systemd's", func(m *mac) InstallOptions { return InstallOptions{Exe: m.exe, Sandbox: SandboxOn} }, "only systemd has"},
		{"every address", func(m *mac) InstallOptions {
			return InstallOptions{Exe: m.exe, Listen: addrs("0.0.0.0:19080")}
		}, "would be open to every network"},
		{"a home whose socket has too long a path", func(m *mac) InstallOptions {
			m.opts.MoatHome = filepath.Join(m.home, strings.Repeat("m", 100))
			return InstallOptions{Exe: m.exe}
		}, "set MOAT_HOME to a shorter directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			macTest(t, func(m *mac) {
				t := m.t
				if _, err := m.install(tt.opts(m)); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Install = %v, want an error with %q", err, tt.want)
				}
				if calls := m.calls(); len(calls) > 0 {
					t.Errorf("and it called launchctl: %q", calls)
				}
				m.wantNoFiles()
			})
		})
	}
}

func TestLaunchd_installOverRuins(t *testing.T) {
	for name, ruin := range map[string]func(m *mac) error{
		"a plist of no bytes, as the library leaves it": func(m *mac) error { return os.WriteFile(m.plist(), nil, 0o644) },
		"a plist of another program":                    func(m *mac) error { return os.WriteFile(m.plist(), []byte("<plist/>"), 0o644) },
		"a plist that others can write":                 func(m *mac) error { return os.Chmod(m.plist(), 0o666) },
		"a link to nowhere": func(m *mac) error {
			return errors.Join(os.Remove(m.plist()), os.Symlink("/nowhere", m.plist()))
		},
		"a record that is no JSON": func(m *mac) error { return os.WriteFile(m.recordPath(), []byte("{"), 0o644) },
		"no directory of the log":  func(m *mac) error { return os.RemoveAll(filepath.Dir(m.log())) },
		"a directory of the socket that others can read": func(m *mac) error {
			return os.Chmod(filepath.Dir(m.socket()), 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			macTest(t, func(m *mac) {
				t := m.t
				m.mustInstall(InstallOptions{})
				if err := ruin(m); err != nil {
					t.Fatal(err)
				}
				m.mustInstall(InstallOptions{})
				m.wantRunning("gui")
				if st, err := m.Status(t.Context()); err != nil || st.Drift != nil || st.Changed {
					t.Errorf("Status = %+v, %v; want no drift", st, err)
				}
				if info, err := os.Stat(filepath.Dir(m.socket())); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("directory of the socket: %v, %v", info.Mode(), err)
				}
			})
		})
	}
}

func TestLaunchd_theLibraryMayFail(t *testing.T) {
	for name, file := range map[string]func(*mac) plistFile{
		"it does not know the system": func(*mac) plistFile {
			return func(string) (installer, error) { return nil, errors.New("no system") }
		},
		"it writes into another directory": func(m *mac) plistFile {
			return func(text string) (installer, error) {
				return &libraryLike{filepath.Join(m.dir, "elsewhere"), text}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			macTest(t, func(m *mac) {
				t := m.t
				m.file = file(m)
				m.mustInstall(InstallOptions{})
				m.wantRunning("gui")
				if _, err := m.Uninstall(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.wantNoFiles()
			})
		})
	}
}

// The library takes the text as it is: it has none of its own.
func TestLibraryFile(t *testing.T) {
	lib, err := libraryFile("text")
	if err != nil || lib == nil {
		t.Errorf("libraryFile = %v, %v; want an installer", lib, err)
	}
}

func TestLaunchd_uninstall(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		for _, path := range []string{m.log(), m.log() + ".old", filepath.Join(filepath.Dir(m.plist()), ".moatd-1.tmp")} {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.set("dirty", "")
		removed, err := m.Uninstall(t.Context())
		if err != nil || len(removed) != 5 || removed[0] != m.plist() {
			t.Errorf("Uninstall = %q, %v; want the plist and four more files", removed, err)
		}
		m.wantStopped()
		m.wantNoFiles()
		if removed, err := m.Uninstall(t.Context()); err != nil || removed != nil {
			t.Errorf("a second Uninstall = %q, %v; want nothing, nil", removed, err)
		}
	})
}

func TestLaunchd_notes(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.set("gui", "112")
		done := m.mustInstall(InstallOptions{Linger: true})
		all := strings.Join(done.Notes, "\n")
		for _, want := range []string{"nothing like lingering", "without the login keychain"} {
			if !strings.Contains(all, want) {
				t.Errorf("notes = %q, want %q in them", done.Notes, want)
			}
		}
	})
}

// The daemon may take its time to drain, which launchd grants it.
func TestLaunchd_waitsLongerThanLaunchdDoes(t *testing.T) {
	text, err := (&launchd{opts: Options{UserHome: "/Users/me", MoatHome: "/Users/me/.moat"}}).agent("/moatd").Plist()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "<key>ExitTimeOut</key>\n\t<integer>35</integer>") || goneWait.Seconds() <= 35 {
		t.Errorf("goneWait = %v, want more than ExitTimeOut", goneWait)
	}
}

// The socket of the agent before has to go as well as that of the new one.
func TestLaunchd_anotherHome(t *testing.T) {
	macTest(t, func(m *mac) {
		m.mustInstall(InstallOptions{})
		before := m.socket()
		m.set("dirty", "") // launchd leaves its file
		m.opts.MoatHome = filepath.Join(m.home, ".moat2")
		m.set("socket", m.socket())
		m.mustInstall(InstallOptions{})
		m.wantRunning("gui")
		if _, err := os.Lstat(before); !errors.Is(err, fs.ErrNotExist) {
			m.t.Errorf("the socket of the home before: %v, want it gone", err)
		}
		if a, _ := m.installedAgent(); a.Home != m.opts.MoatHome {
			m.t.Errorf("the agent's home is %s, want %s", a.Home, m.opts.MoatHome)
		}
	})
}
