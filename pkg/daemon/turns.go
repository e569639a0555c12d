package daemon

import "sync"

// turns orders the changes of one run: memory and disk must see them in the
// same order. Runs share locks by the digest of their token, so that changes
// of different runs rarely wait for each other, and share a commit.
type turns [64]sync.Mutex

// take waits for the turn and returns what ends it.
func (t *turns) take(token string) (done func()) {
	d := digestOf(token)
	mu := &t[int(d[0])%len(t)]
	mu.Lock()
	return mu.Unlock
}

// dismiss removes a run from the disk and from the registry, if it still is one
// that should be; a nil still means that it should in any case. It returns the
// run and whether none is left, or ErrRunNotFound if it removed nothing.
func (r *Registry) dismiss(token string, disk *RunPersister, still func(*RunContext) bool) (rc *RunContext, last bool, err error) {
	defer r.turns.take(token)()
	defer disk.change()()
	rc, ok := r.Lookup(token)
	if !ok || still != nil && !still(rc) {
		return nil, false, ErrRunNotFound
	}
	if err := disk.remove(rc.RunID); err != nil {
		return nil, false, err
	}
	r.Unregister(token)
	return rc, r.Count() == 0, nil
}
