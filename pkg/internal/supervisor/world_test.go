package supervisor_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// world is a home with a fake systemd.
type world struct {
	t    *testing.T
	root string
	home string
	fake string
	exe  string
	opts supervisor.Options
}

// newWorld makes one and puts its commands into PATH.
func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t, root: root, home: filepath.Join(root, "home"), fake: filepath.Join(root, "fake")}
	run, bin := filepath.Join(root, "run", "user", fmt.Sprint(os.Getuid())), filepath.Join(root, "fakebin")
	for _, dir := range []string{w.units(), w.fake, bin, filepath.Join(run, "systemd"), filepath.Join(root, "run/systemd/system"), filepath.Join(w.home, "bin"), w.packages()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.RemoveAll(filepath.Join(w.home, ".config"))
	w.write(filepath.Join(run, "systemd", "private"), "")
	w.write(filepath.Join(w.fake, "unitpath"), filepath.Join(w.home, ".config/systemd/user.control")+" "+w.units()+" "+w.packages())
	w.exe = filepath.Join(w.home, "bin", "moatd")
	w.write(w.exe, "#!/bin/sh\n")
	if err := os.Chmod(w.exe, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fakes {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	t.Setenv("FAKE_SYSTEMD", w.fake)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each of the commands sleeps for a second
	t.Setenv("HOME", w.home)
	t.Setenv("XDG_RUNTIME_DIR", run)
	w.opts = supervisor.Options{
		Getenv: os.Getenv, Environ: os.Environ(), UID: os.Getuid(), Root: root,
		UserHome: w.home, MoatHome: filepath.Join(w.home, ".moat"),
	}
	return w
}

func (w *world) units() string    { return filepath.Join(w.home, ".config/systemd/user") }
func (w *world) packages() string { return filepath.Join(w.root, "usr/lib/systemd/user") }

// sup returns the supervisor of the world.
func (w *world) sup() supervisor.Supervisor { return supervisor.New(w.opts) }

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(path string) string {
	w.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// change changes what the fake manager knows of a unit.
func (w *world) change(name string, do func(*fakeUnit)) {
	w.t.Helper()
	f := fakeManager{dir: w.fake, units: map[string]*fakeUnit{}}
	f.load()
	do(f.unit(name))
	f.save()
}

func (w *world) unit(name string) fakeUnit {
	f := fakeManager{dir: w.fake, units: map[string]*fakeUnit{}}
	f.load()
	return *f.unit(name)
}

// fail makes the command lines that begin so fail.
func (w *world) fail(lines ...string) {
	w.write(filepath.Join(w.fake, "fail"), strings.Join(lines, "\n"))
}

// calls returns the commands since the last call of calls.
func (w *world) calls() []string {
	path := filepath.Join(w.fake, "calls")
	data, _ := os.ReadFile(path)
	os.Remove(path)
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// files returns what is below the home, but the executable.
func (w *world) files() []string {
	found := map[string]bool{}
	filepath.WalkDir(w.home, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path != w.exe {
			rel, _ := filepath.Rel(w.home, path)
			found[rel] = true
		}
		return nil
	})
	return slices.Sorted(maps.Keys(found))
}

// install installs, which must succeed.
func (w *world) install(opts supervisor.InstallOptions) supervisor.Installed {
	w.t.Helper()
	if opts.Exe == "" {
		opts.Exe = w.exe
	}
	done, err := w.sup().Install(w.t.Context(), opts)
	if err != nil {
		w.t.Fatalf("Install(%+v): %v", opts, err)
	}
	return done
}

func uid() string { return fmt.Sprint(os.Getuid()) }
