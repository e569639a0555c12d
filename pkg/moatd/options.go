package moatd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/confine"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/proxy"
)

var (
	// ErrConfig reports something that the user has to mend before a daemon can
	// start; starting it again would not help.
	ErrConfig = errors.New("configuration")
	// ErrUsage reports a command line that makes no sense.
	ErrUsage = errors.New("usage")
)

// Exit codes of the daemon, from sysexits.h. The unit does not restart a daemon
// that ends with ExitUsage or ExitConfig.
const (
	ExitFailure = 1
	ExitUsage   = 64
	ExitBusy    = 75 // another daemon has the directory
	ExitConfig  = 78
)

// ExitCode returns the code with which a daemon that failed with err ends; 0 for
// nil.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, store.ErrLocked), errors.Is(err, activation.ErrInUse):
		return ExitBusy
	case errors.Is(err, ErrConfig), errors.Is(err, store.ErrNewer):
		return ExitConfig
	}
	return ExitFailure
}

// permanent marks an error at the start that no second start mends: the user has
// to give the daemon a directory that it may use. A disk that is full is none, as
// it may have room again.
func permanent(err error) error {
	for _, cause := range []error{
		syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG,
	} {
		if errors.Is(err, cause) && !errors.Is(err, ErrConfig) {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	return err
}

// mendable marks an error about what is in the home, which is the user's to mend,
// unless it can pass by itself.
func mendable(err error) error {
	for _, cause := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.EINTR,
	} {
		if errors.Is(err, cause) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrConfig, err)
}

// Options configure a daemon.
type Options struct {
	Settings config.Settings // required
	Version  string          // of the program
	// Handed are the listeners of a supervisor; nil means that there is none,
	// and the daemon binds its own.
	Handed *activation.Handed
	// Notify tells the supervisor how it goes; nil means nobody.
	Notify *activation.Notifier
	// Keys have the key of the credentials; nil means a key in a file of the home.
	Keys *credential.KeyChain
	// Containers knows whether the containers of the runs run; nil means that
	// runs stay until they are unregistered.
	Containers daemon.ContainerChecker
	// Hangup asks to read providers and credentials anew, as SIGHUP does; nil
	// means never.
	Hangup <-chan os.Signal
	// Reread reads the settings as they are now; nil means that they stay.
	Reread func() (config.Settings, error)
	// Network is between the daemon and the upstreams; the zero value means the
	// network of this machine.
	Network proxy.Network
	// Confine gives up all files but the system's and those of p, for good and for
	// the whole process; nil means that the process keeps what it may. It is
	// called once, when all is open, if the settings want it.
	Confine func(p confine.Places) (confine.Applied, error)
	// Helper is the command of a process that is moatd renew-helper
	// and renews credentials; it is started before this process is confined. nil
	// means that this process does so itself, and what it has begun ends with it.
	Helper *exec.Cmd
	// OpenStore opens the database; nil means [store.Open]. It is for who wants to
	// have a hand on it.
	OpenStore func(path string, opts store.Options) (*store.Store, store.Recovery, error)
	// Stderr gets the log, unless it goes to the journal; required.
	Stderr io.Writer
	// Ready is called once the daemon answers; nil for nothing.
	Ready func(Addresses)
}

// Addresses are where a daemon listens.
type Addresses struct {
	API     string // path of the Unix socket
	Proxy   string // host:port, "" if the proxy could not listen
	Routing string // host:port, "" if the routes are not served
}
