package doctor

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// Options say what to examine. What is not said otherwise is required.
type Options struct {
	Settings    config.Settings
	SettingsErr error // why the settings are only the defaults; nil if they are not
	Supervisor  supervisor.Supervisor
	Version     string // of this program
	Commit      string // that it was built from, "" if it is not known
	RuntimeDir  string // XDG_RUNTIME_DIR, "" if it is not set
	ConfigDir   string // XDG_CONFIG_HOME, "" for .config in the home directory
	UserHome    string // the user's home directory, "" if it is not known
	Path        string // PATH

	// Start permits to connect to sockets that a service manager holds for a
	// daemon that does not run, which starts it.
	Start bool
	// Container says to start a container that tries to reach the proxy. It is
	// done without being said if a run has a container of Docker or Podman.
	Container bool
	Engines   daemon.ContainerOptions // where the container engines are

	// Patience is how long the service manager and the daemon may each take to
	// answer what most checks need to know; zero means 5 s.
	Patience time.Duration

	Root string                                                                 // of the file system, for tests; "" means /
	Now  func() time.Time                                                       // nil means time.Now
	Exec func(ctx context.Context, name string, args ...string) (string, error) // runs a command; nil means a real one
}

// Limit is how long a check may take.
const Limit = 10 * time.Second

const defaultPatience = 5 * time.Second

// Examine runs all checks. It takes a second, or 15 s where something hangs.
func Examine(ctx context.Context, opts Options) []Result {
	s := survey(ctx, opts)
	return Run(ctx, s.checks(), Limit)
}

// A scene is what several checks need to know. It does not change.
type scene struct {
	opts      Options
	now       time.Time
	status    supervisor.Status
	statusErr error
	lock      *daemon.LockInfo // nil if there is no record
	lockErr   error
	lockAlive bool
	socket    string                 // of the API
	health    *daemon.HealthResponse // nil if the daemon was not asked, or did not answer
	healthErr error                  // nil if it was not asked
	runs      []daemon.RunInfo
}

// survey asks the service manager, then the daemon.
func survey(ctx context.Context, opts Options) *scene {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Exec == nil {
		opts.Exec = run
	}
	opts.Patience = cmp.Or(opts.Patience, defaultPatience)
	s := &scene{opts: opts, now: opts.Now()}
	s.look(ctx)
	asleep := !s.running()
	if !asleep || opts.Start {
		s.ask(ctx)
	}
	if asleep && s.health != nil {
		s.look(ctx) // again, now that it is awake
	}
	return s
}

// look finds out what can be known without connecting to a socket.
func (s *scene) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Patience)
	defer cancel()
	s.status, s.statusErr = s.opts.Supervisor.Status(ctx)
	s.lock, s.lockErr = daemon.ReadLockFile(s.opts.Settings.Home)
	s.lockAlive = s.lockErr == nil && s.lock.IsAlive()
	s.socket = s.apiSocket()
}

// ask talks to the daemon, for which it takes a time of its own.
func (s *scene) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Patience)
	defer cancel()
	client := daemon.NewClient(s.socket).WithVersion(s.opts.Version)
	if s.health, s.healthErr = client.Health(ctx); s.healthErr != nil {
		return
	}
	runs, err := client.ListRuns(ctx)
	if err == nil { // else the check that needs them does without
		s.runs = runs
	}
}

// running reports whether there is a daemon, as far as can be known without
// connecting to a socket.
func (s *scene) running() bool { return s.lockAlive || s.status.PID > 0 }

// managed reports whether a service manager is there and answers, and has moatd.
func (s *scene) managed() bool { return s.statusErr == nil && s.status.Installed }

// apiSocket returns where the API is: where the daemon that runs says, else
// where the service manager listens, else where the settings say.
func (s *scene) apiSocket() string {
	if s.lockAlive {
		return s.lock.SockPath
	}
	for _, sock := range s.status.Sockets {
		if sock.Name == "api" && len(sock.Listen) > 0 {
			return sock.Listen[0]
		}
	}
	return s.opts.Settings.APISocket
}

// unit returns what the service manager says of a socket, and whether it is one
// of its own.
func (s *scene) unit(name string) (supervisor.SocketStatus, bool) {
	i := slices.IndexFunc(s.status.Sockets, func(u supervisor.SocketStatus) bool { return u.Name == name })
	if i < 0 {
		return supervisor.SocketStatus{}, false
	}
	return s.status.Sockets[i], true
}

// pid is the process of the daemon, 0 if none is known.
func (s *scene) pid() int {
	switch {
	case s.health != nil:
		return s.health.PID
	case s.lockAlive:
		return s.lock.PID
	}
	return s.status.PID
}

// path returns a path of the system below the root of the options.
func (s *scene) path(elem ...string) string {
	return filepath.Join(append([]string{cmp.Or(s.opts.Root, "/")}, elem...)...)
}

// unitDir is where the user's own units are.
func (s *scene) unitDir() string {
	dir := cmp.Or(s.opts.ConfigDir, filepath.Join(s.opts.UserHome, ".config"))
	return filepath.Join(dir, "systemd", "user")
}

// run runs a command and returns what it wrote to its standard output.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the names are constants of this package
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	return string(out), err
}

// missing reports whether an error means that a file or a command is not there.
func missing(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound)
}
