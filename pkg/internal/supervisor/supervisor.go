// Package supervisor installs moatd as a service of the operating system, and
// asks that system about it. It is the only package that runs the system's
// commands: systemctl, systemd-run, systemd-sysusers, loginctl, journalctl and
// launchctl.
package supervisor

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"
)

// ErrUnavailable reports that this machine, or this session, has no service
// manager that could run moatd. The error around it says what is missing and
// what to do.
var ErrUnavailable = errors.New("no service manager")

// ErrNotInstalled reports that the service manager does not know moatd.
var ErrNotInstalled = errors.New("moatd is not installed as a service")

// ErrNotRunning reports that the daemon does not run.
var ErrNotRunning = errors.New("moatd does not run")

// ErrNoLog reports that this user cannot read the daemon's log from the service
// manager, or that it has none.
var ErrNoLog = errors.New("the service manager shows no log")

// A Supervisor is the service manager of this machine, as far as moatd's service
// goes. It is safe for concurrent use. Its methods run commands of the system,
// and end when ctx does.
type Supervisor interface {
	// Name is "systemd", "launchd" or "none".
	Name() string
	// Install makes moatd a service, over an older or a failed installation
	// too, and starts its sockets. An error says what was left undone; Install
	// again goes on from there.
	Install(ctx context.Context, opts InstallOptions) (Installed, error)
	// Uninstall ends the service and removes what Install made; the state in
	// the home directory stays. What a package installed stays, disabled. It
	// returns the files that it removed.
	Uninstall(ctx context.Context) ([]string, error)
	// Start, Stop, Restart and Reload do that to the daemon, and return once it
	// is done. Stop closes the sockets too: nothing starts the daemon again.
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Restart(ctx context.Context) error
	Reload(ctx context.Context) error
	// Enable makes the sockets listen from the next login on, Disable undoes it.
	Enable(ctx context.Context) error
	Disable(ctx context.Context) error
	// Status asks how the service is; it never starts the daemon. That moatd is
	// not installed is no error.
	Status(ctx context.Context) (Status, error)
	// Logs writes the daemon's log.
	Logs(ctx context.Context, opts LogOptions) error
}

// InstallOptions say how to install the service.
type InstallOptions struct {
	Exe string // absolute path of moatd; required
	// Listen are addresses of the proxy besides 127.0.0.1:19080, such as that of
	// Docker's bridge. They need not exist yet.
	// nil keeps those of an earlier installation; empty removes them.
	Listen  []netip.AddrPort
	Linger  bool    // keep the user's services running without a login
	Sandbox Sandbox // zero is SandboxAuto
}

// Sandbox says whether the daemon gets the confinement that needs namespaces.
type Sandbox string

// The values of [Sandbox].
const (
	SandboxAuto Sandbox = "auto" // if a trial shows that it works here
	SandboxOn   Sandbox = "on"   // or the installation fails
	SandboxOff  Sandbox = "off"
)

// Installed says what an installation did.
type Installed struct {
	Files    []string // that were written, or were there already as they should be
	Packaged bool     // the units are a package's, and were only enabled
	Notes    []string // what the user should know, a sentence each
}

// Status is what the service manager knows of the service.
type Status struct {
	Supervisor string         `json:"supervisor"` // as [Supervisor.Name]
	Installed  bool           `json:"installed"`
	Packaged   bool           `json:"packaged,omitempty"` // by a package of the system
	Enabled    bool           `json:"enabled"`
	State      string         `json:"state"`              // the manager's word: "active", "inactive", "failed", …
	PID        int            `json:"pid,omitempty"`      // of the daemon, 0 if it does not run
	Since      time.Time      `json:"since,omitzero"`     // of the state
	Restarts   int            `json:"restarts"`           // without being told to, since the last start
	Result     string         `json:"result,omitempty"`   // of the last end: "success", "exit-code", "watchdog", …
	ExitCode   int            `json:"exit_code"`          // of the last end
	Text       string         `json:"text,omitempty"`     // what the daemon says of itself, STATUS=
	Exe        string         `json:"exe,omitempty"`      // that the service starts
	Drift      []string       `json:"drift,omitempty"`    // files that are not as this version would write them
	Changed    bool           `json:"changed,omitempty"`  // files have changed since the manager read them
	DropIns    []string       `json:"drop_ins,omitempty"` // the user's own changes to the units
	Linger     bool           `json:"linger"`             // the service runs without a login
	Sockets    []SocketStatus `json:"sockets,omitempty"`  // the manager's, in the order of initfiles.UnitNames
}

// SocketStatus is what the service manager knows of a socket.
type SocketStatus struct {
	Name    string   `json:"name"`             // "api", "proxy" or "routing"
	State   string   `json:"state"`            // the manager's word
	Result  string   `json:"result,omitempty"` // why it failed, the manager's word
	Enabled bool     `json:"enabled"`
	Listen  []string `json:"listen,omitempty"` // paths and addresses
}

// LogOptions say which part of the log to write, and where to.
type LogOptions struct {
	Out    io.Writer // required
	Follow bool      // go on until ctx ends
	Lines  int       // of the end; 0 means all
	Since  string    // a time or span as journalctl(1) reads it; "" means all
	Run    string    // only entries of the run with this id; "" means all
	JSON   bool      // an object on each line, as logging.Entry, for programs
}
