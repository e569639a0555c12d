package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Options say whose service it is, and what the process got from the outside.
type Options struct {
	// System means the service manager of the machine, which runs moatd under the
	// account moat, instead of the user's.
	System   bool
	Getenv   func(name string) string // as [os.Getenv]; required
	Environ  []string                 // of the commands that are run, as [os.Environ]
	UID      int                      // of the user
	UserHome string                   // the user's home directory
	MoatHome string                   // directory of moatd's state, for which the sandbox has a hole
	Root     string                   // of the file system, for tests; "" means /
}

// New returns the service manager of this machine or session. Where there is none
// it is one whose methods all return an error that wraps ErrUnavailable.
func New(opts Options) Supervisor {
	switch runtime.GOOS {
	case "linux":
		return newSystemd(opts)
	case "darwin":
		return newLaunchd(opts)
	}
	return none{&Problem{
		What: "there is no service manager that moatd knows",
		Todo: "run moatd serve in a terminal",
		Kind: ErrUnavailable,
	}}
}

// A Problem is an error with what to do about it.
type Problem struct {
	What string // a line, in lower case
	Todo string // a line, such as a command
	Kind error  // what errors.Is finds in it; nil for nothing
}

func (p *Problem) Error() string { return p.What + "; " + p.Todo }

// Unwrap returns the kind of the problem.
func (p *Problem) Unwrap() error { return p.Kind }

// foreground is what to do without a service manager.
const foreground = "run moatd serve in a terminal, or let moat run start it"

// newSystemd returns systemd, if it can be reached. It runs no command.
func newSystemd(opts Options) Supervisor {
	s := &systemd{opts: opts, run: commands{env: opts.Environ}}
	missing := s.reach()
	if missing == nil {
		return s
	}
	missing.Kind = ErrUnavailable
	return none{missing}
}

// reach finds the manager's runtime directory, and says what is missing.
func (s *systemd) reach() *Problem {
	if _, err := os.Stat(s.path("/run/systemd/system")); err != nil {
		return &Problem{What: "this machine does not run systemd", Todo: foreground}
	}
	if _, err := exec.LookPath("systemctl"); err != nil {
		return &Problem{What: "systemctl is not in PATH", Todo: "mend PATH, or " + foreground}
	}
	if s.opts.System {
		return nil
	}
	return s.reachUser()
}

func (s *systemd) reachUser() *Problem {
	login := fmt.Sprintf("log in over ssh or at the console instead of by su, sudo or cron; or keep a systemd for this user: sudo loginctl enable-linger %d", s.opts.UID)
	own := s.path(fmt.Sprintf("/run/user/%d", s.opts.UID))
	dir := s.opts.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		if !owned(own, s.opts.UID) {
			return &Problem{What: "XDG_RUNTIME_DIR is not set: this is no session with a systemd of the user", Todo: login}
		}
		dir = own
		s.run.env = append(slices.Clip(s.run.env), "XDG_RUNTIME_DIR="+dir)
	}
	if !owned(dir, s.opts.UID) {
		return &Problem{What: "XDG_RUNTIME_DIR is no directory of this user: " + dir, Todo: login}
	}
	if _, err := os.Stat(filepath.Join(dir, "systemd", "private")); err != nil {
		return &Problem{What: "systemd does not run for this user: there is no " + filepath.Join(dir, "systemd", "private"), Todo: login}
	}
	s.runtime = dir
	return nil
}

// owned reports whether path is there and belongs to uid.
func owned(path string, uid int) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}

// path returns a path below the root.
func (s *systemd) path(abs string) string { return filepath.Join("/", s.opts.Root, abs) }

// commands runs the commands of the system.
type commands struct {
	env []string
}

// output runs a command and returns what it printed. Its error has what the
// command said on standard error.
func (c commands) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := c.command(ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	said := strings.Join(strings.FieldsFunc(stderr.String(), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	failed := &commandError{line: strings.Join(append([]string{name}, args...), " "), said: said, code: -1, err: err}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		failed.code = exit.ExitCode()
	}
	return string(out), failed
}

func (c commands) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the names are constants
	cmd.Env = append(slices.Clip(c.env), "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	return cmd
}

// commandError reports a command that failed.
type commandError struct {
	line string // the command
	said string // on standard error
	code int    // with which it ended, -1 if it did not
	err  error
}

func (e *commandError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%s: %v", e.line, e.err)
	}
	return e.line + ": " + e.said
}

func (e *commandError) Unwrap() error { return e.err }
