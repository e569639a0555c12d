package daemon

import "fmt"

// reserve keeps the id of rc, and its token, from being taken while rc is being
// stored. The caller calls put or release.
func (r *Registry) reserve(rc *RunContext) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return ErrClosing
	}
	d := digestOf(rc.AuthToken)
	if have, taken := r.ids[rc.RunID]; taken && have != d {
		return fmt.Errorf("%w: %s is registered under another token; unregister it first, or choose another id", ErrRunExists, rc.RunID)
	}
	if old, ok := r.Lookup(rc.AuthToken); ok && old.RunID != rc.RunID {
		return fmt.Errorf("%w: the token belongs to %s", ErrRunExists, old.RunID)
	}
	r.ids[rc.RunID] = d
	return nil
}

// release gives back what reserve kept.
func (r *Registry) release(rc *RunContext) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, live := r.Lookup(rc.AuthToken); !live {
		delete(r.ids, rc.RunID)
	}
}
