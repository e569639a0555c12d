package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/daemon"
)

// A usageError reports a wrong use of the command line.
type usageError struct {
	error
	command string // as the user calls it: "moat run"
}

func (e usageError) Unwrap() error { return e.error }

func (e usageError) hint() string { return e.command + " --help tells how to use it" }

// arguments checks how many arguments a command has; a max below 0 means any
// number.
func arguments(min, max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		n := len(args)
		if n >= min && (n <= max || max < 0) {
			return nil
		}
		wrong := errors.New("an argument is missing")
		if n > min {
			wrong = fmt.Errorf("unexpected argument %q", args[max])
		}
		return usageError{fmt.Errorf("%w; usage: %s", wrong, cmd.UseLine()), cmd.CommandPath()}
	}
}

// noSuchCommand refuses the arguments of moat itself: it has commands alone.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("there is no command %q", args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(like, " or "))
	}
	return usageError{err, cmd.CommandPath()}
}

// hinted is an error with a hint of its own.
type hinted struct {
	error
	text string
}

func (h hinted) Unwrap() error { return h.error }

func (h hinted) hint() string { return h.text }

// hintOf says what a user can do about err; "" if nothing is known.
func hintOf(err error) string {
	if h, ok := errors.AsType[interface {
		error
		hint() string
	}](err); ok {
		return h.hint()
	}
	if errors.Is(err, daemon.ErrUnsupported) {
		return "the daemon is older than this program: moat daemon restart"
	}
	return ""
}

// startHint has the two ways to start a daemon.
const startHint = "start it with moat daemon install, or in a terminal with moatd serve"

// maxSocketPath is the longest path of a Unix socket, in bytes: sun_path less
// its final NUL, on macOS 103 and on Linux 107.
const maxSocketPath = 103

// reached puts the errors of a connection to the daemon into words for a user.
func (a *app) reached(err error) error {
	path := a.settings.APISocket
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hinted{fmt.Errorf("moatd is not running: there is no socket at %s", path), startHint}
	case errors.Is(err, syscall.ECONNREFUSED):
		return hinted{fmt.Errorf("moatd is not running: nobody listens on %s", path), startHint}
	case errors.Is(err, syscall.EINVAL) && len(path) > maxSocketPath:
		return hinted{
			fmt.Errorf("the path of the socket is too long for a socket, %d bytes: %s", len(path), path),
			"set api_socket in config.yaml, or MOAT_API_SOCKET, to a shorter one, for moat and moatd alike",
		}
	}
	return refused(err)
}

// refused takes from what the daemon says of a run the first words, which name
// a kind and tell a user nothing, and makes a hint of what to do.
func refused(err error) error {
	for _, kind := range []error{daemon.ErrGrant, daemon.ErrRunExists, daemon.ErrBadRequest} {
		if !errors.Is(err, kind) {
			continue
		}
		text := strings.TrimPrefix(err.Error(), kind.Error()+": ")
		if what, todo, ok := strings.Cut(text, "; "); ok && !strings.Contains(todo, "; ") {
			return hinted{errors.New(what), todo}
		}
		return errors.New(text) // of several grants, each with what to do
	}
	return err
}
