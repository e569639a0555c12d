package daemon

import (
	"context"
	"errors"
	"time"
)

// ErrIdle is what [Registry.WaitIdle] returns when the daemon has nothing to do
// and may end, without complaint.
var ErrIdle = errors.New("idle")

// stillBusy is the longest time after which WaitIdle asks again whether there is
// something to do.
const stillBusy = time.Minute

// WaitIdle returns ErrIdle once there has been no run for the time d and busy,
// which is asked then, says that nothing else is going on; and nil when ctx
// ends. A busy of nil says so always. Once WaitIdle has returned ErrIdle, the
// registry takes no more runs, and answers [ErrClosing].
func (r *Registry) WaitIdle(ctx context.Context, d time.Duration, busy func() bool) error {
	var expired <-chan time.Time // nil, so never ready, while there are runs
	var since uint64             // how many runs there had been when expired was made
	for {
		n, put, changed := r.watch()
		switch {
		case n > 0:
			expired = nil
		case expired == nil, put != since: // not at other changes, which go on without runs
			expired, since = time.After(d), put
		}
		select {
		case <-changed:
		case <-expired:
			switch {
			case busy != nil && busy():
				expired = time.After(min(d, stillBusy))
			case r.closeIfEmpty():
				return ErrIdle
			default:
				expired = nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// watch returns the number of runs, how many there ever were, and a channel that
// is closed at the next change.
func (r *Registry) watch() (n int, put uint64, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.put, r.changed
}

// Changed returns a channel that is closed at the next change of which runs
// there are or what state they are in.
func (r *Registry) Changed() <-chan struct{} {
	_, _, changed := r.watch()
	return changed
}

// closeIfEmpty refuses further runs if there are none, registrations under way
// included, and reports whether it did.
func (r *Registry) closeIfEmpty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = len(r.ids) == 0 && r.count == 0
	return r.closing
}
