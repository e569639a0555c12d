package confine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/moatd/moatd/pkg/internal/confine"
)

// start returns the process that tries something under p.
func start(t *testing.T, p confine.Places, args ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), confinedTo+"="+string(text), "GORACE=atexit_sleep_ms=0")
	return cmd
}

func needLandlock(t *testing.T) {
	t.Helper()
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		t.Skip("the kernel has no Landlock")
	}
}

// world makes a home with a state directory in it, and what is none of ours.
func world(t *testing.T) (home string, p confine.Places) {
	t.Helper()
	home = t.TempDir()
	for _, dir := range []string{".moat/credentials", ".ssh", ".aws", "run", "shm", "bin"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{".moat/config.yaml", ".ssh/id", ".bashrc", ".aws/config", "run/sock", "shm/others"} {
		if err := os.WriteFile(filepath.Join(home, file), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{".moat/tool", "bin/tool"} {
		if err := os.WriteFile(filepath.Join(home, file), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(home, name) }
	return home, confine.System("/etc").Plus(confine.Places{
		Write: []string{at(".moat")}, Unlink: []string{at("run")}, Shared: []string{at("shm")}, Read: []string{at(".aws")},
	})
}

func TestFiles(t *testing.T) {
	needLandlock(t)
	for _, tt := range []struct {
		name    string
		attempt string // ~ is the home
		allowed bool
	}{
		{"state is written", "write ~/.moat/moatd.db.bak.new", true},
		{"state is cut and written anew", "write ~/.moat/config.yaml", true},
		{"state is replaced by rename", "rename ~/.moat/config.yaml ~/.moat/old", true},
		{"temporary files come beside what they replace", "temp ~/.moat/credentials", true},
		{"directories of state are made", "mkdir ~/.moat/providers", true},
		{"state is removed", "remove ~/.moat/config.yaml", true},
		{"nothing in it is executed", "exec ~/.moat/tool", false},
		{"no link leads out of it", "link /etc/passwd ~/.moat/link", false},
		{"nothing moves between its directories", "rename ~/.moat/config.yaml ~/.moat/credentials/c", false},

		{"keys of the user are not read", "read ~/.ssh/id", false},
		{"nor from any other thread", "threads ~/.ssh/id", false},
		{"nor by a child", "child ~/.ssh/id", false},
		{"nor listed", "list ~/.ssh", false},
		{"but one sees that they are there", "stat ~/.ssh/id", true},
		{"what a shell will execute is not written", "write ~/.bashrc", false},
		{"nor moved away", "rename ~/.bashrc ~/.moat/bashrc", false},
		{"nothing of the user is executed", "exec ~/bin/tool", false},
		{"the directory for everybody's files is closed", "temp /tmp", false},

		{"the socket goes with the daemon", "remove ~/run/sock", true},
		{"another does not take its place", "write ~/run/sock", false},
		{"a record for the journal is made", "temp ~/shm", true},
		{"what others have there is not listed", "list ~/shm", false},
		{"profiles are read", "read ~/.aws/config", true},
		{"by children too", "child ~/.aws/config", true},
		{"but not written", "write ~/.aws/config", false},

		{"programs of the system are executed", "exec /bin/true", true},
		{"settings of the system are read", "read /etc/passwd", true},
		{"but not executed", "exec /etc/profile", false},
		{"the boot id is read", "read /proc/sys/kernel/random/boot_id", true},
		{"what is not wanted goes to /dev/null", "write /dev/null", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home, p := world(t)
			cmd := start(t, p, strings.Fields(strings.ReplaceAll(tt.attempt, "~", home))...)
			out, err := cmd.CombinedOutput()
			if tt.allowed && err != nil {
				t.Errorf("%s: %v: %s; want it done", tt.attempt, err, out)
			}
			if !tt.allowed && cmd.ProcessState.ExitCode() != 10 {
				t.Errorf("%s: %v: %s; want it refused", tt.attempt, err, out)
			}
		})
	}
}

// What the rules refuse must be possible without them, or they show nothing.
func TestFiles_allowsAllWhereAllIsAllowed(t *testing.T) {
	needLandlock(t)
	for _, attempt := range []string{"read ~/.ssh/id", "list ~/.ssh", "write ~/.bashrc", "exec ~/bin/tool", "child ~/.ssh/id", "temp ~/run"} {
		home, p := world(t)
		p.Write, p.Run = append(p.Write, home), append(p.Run, home)
		if out, err := start(t, p, strings.Fields(strings.ReplaceAll(attempt, "~", home))...).CombinedOutput(); err != nil {
			t.Errorf("%s, with its home allowed: %v: %s", attempt, err, out)
		}
	}
}

func TestFiles_refusesRelativePlaces(t *testing.T) {
	if _, err := confine.Files(confine.Places{Read: []string{"etc"}}); err == nil || !strings.Contains(err.Error(), `"etc"`) {
		t.Errorf("Files(etc) = %v, want an error with the path", err)
	}
}

func TestApplied_Come(t *testing.T) {
	dir := t.TempDir()
	late, never := filepath.Join(dir, "late"), filepath.Join(dir, "never")
	a := confine.Applied{Missing: []string{late, never}}
	if come := a.Come(); come != nil {
		t.Errorf("Come() = %q before anything came", come)
	}
	if err := os.Mkdir(late, 0o700); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{late}, a.Come()); diff != "" {
		t.Errorf("Come(), -want +got:\n%s", diff)
	}
}

func TestSystem_followsTheLinksOfEtc(t *testing.T) {
	etc, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(etc, "resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if p := confine.System(etc); !slices.Contains(p.Read, elsewhere) || !slices.Contains(p.Read, etc) {
		t.Errorf("System(%s).Read = %q, want %s in it", etc, p.Read, elsewhere)
	}
}

func TestMemory(t *testing.T) {
	cmd := start(t, confine.System("/etc"), "wait")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir = t.TempDir()
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err = stdout.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", cmd.Process.Pid)
	info, err := os.Stat(proc + "environ")
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 {
		t.Errorf("%senviron belongs to %d, want root", proc, st.Uid)
	}
	if _, err = os.ReadFile(proc + "stat"); err != nil {
		t.Errorf("whether it lives cannot be seen: %v", err)
	}
	limits, err := os.ReadFile(proc + "limits")
	if err != nil || !strings.Contains(string(limits), "Max core file size        0                    0") {
		t.Errorf("limits: %v, %s; want no core file", err, limits)
	}
	stdin.Write([]byte("x"))
	if err = cmd.Wait(); err != nil {
		t.Errorf("the process cannot read what it needs of itself: %v", err)
	}
}

// A crash is what leaves dumps behind.
func TestMemory_noDump(t *testing.T) {
	cmd := start(t, confine.System("/etc"), "wait")
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, "GOTRACEBACK=crash")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGABRT)
	_ = cmd.Wait() // it dies
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.CoreDump() {
		t.Errorf("after SIGABRT: %v, want a death without a dump", cmd.ProcessState)
	}
}
