// Package daemon knows what a run is and which runs there are. It has the
// registry of runs, what of it is kept on disk, the management API on the Unix
// socket, and the client of that API.
//
// # Compatibility
//
// The daemon outlives the programs that talk to it, in both directions: a new
// client meets an old daemon, an old client a new one. So
//
//   - fields and endpoints are only ever added; an unknown field is ignored;
//   - a client takes 404 for a call that an older daemon does not know;
//   - what a field means never changes.
//
// # Durability
//
// A registration that was answered with 201, and an update or a removal that
// was answered with 204, is on disk before the answer is sent.
package daemon

import "errors"

// BuildCommit is the commit that the running program was built from, "" if it
// is not known. The program's main sets it before it starts anything.
var BuildCommit string

// Errors that callers test for with [errors.Is]; the client returns them for
// what the daemon said.
var (
	// ErrRunNotFound reports a token that no run has.
	ErrRunNotFound = errors.New("run not found")
	// ErrRunExists reports a run id, or a token, that another run has.
	ErrRunExists = errors.New("run exists")
	// ErrClosing reports a daemon that takes no more runs because it ends; the
	// next connection starts another one.
	ErrClosing = errors.New("daemon is closing")
	// ErrGrant reports a grant whose credential is not to be had.
	ErrGrant = errors.New("grant unavailable")
	// ErrBadRequest reports a request that the daemon cannot make sense of.
	ErrBadRequest = errors.New("bad request")
	// ErrForbidden reports a caller that is neither this user nor root.
	ErrForbidden = errors.New("forbidden")
	// ErrUnsupported reports a call that the daemon, an older one, does not know.
	ErrUnsupported = errors.New("the daemon does not know this call; restart it to run the newer version")
)
