package cli

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/grants"
)

// errUsage reports a wrong use of the command line.
var errUsage = errors.New("usage")

// hinted is an error with a hint of its own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// hints says, for an error, what its user can do.
var hints = []struct {
	err  error
	hint string
}{
	{daemon.ErrUnsupported, "the daemon is older than this program: systemctl --user restart moatd"},
	{daemon.ErrRunExists, "moat ls shows the runs; choose another --name"},
	{grants.ErrUnknownProvider, "a file NAME.yaml in the providers directory of moat's home describes a provider"},
	{credential.ErrNotFound, "moat grant stores a credential"},
	{fs.ErrNotExist, "start the daemon: systemctl --user enable --now moatd.socket moatd-proxy.socket, or moatd serve"},
	{syscall.ECONNREFUSED, "start the daemon: systemctl --user start moatd, or moatd serve"},
}

func hintOf(err error) string {
	if h, ok := errors.AsType[hinted](err); ok {
		return h.hint
	}
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	return ""
}
