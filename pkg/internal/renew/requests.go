package renew

import (
	"context"
	"net/http"
	"time"
)

// Fresh waits while one of the grants' secrets has run out and is being renewed,
// for [WaitLimit] at most, and reports whether it has waited: what the caller has
// may be old then. For secrets that are good it takes no lock.
func (k *Keeper) Fresh(ctx context.Context, grants []string) (waited bool) {
	for _, grant := range grants {
		e, known := (*k.view.Load())[grant]
		if !known { // of a run that has just come
			k.Look(ctx, grant)
			e = (*k.view.Load())[grant]
		}
		if e != nil && e.expired(time.Now()) {
			waited = true
			k.await(ctx, e)
		}
	}
	return waited
}

// await waits until the secret is good again, or will not be.
func (k *Keeper) await(ctx context.Context, e *entry) {
	ctx, cancel := context.WithTimeout(ctx, WaitLimit)
	defer cancel()
	k.poke() // the clock may have jumped over the due time
	for {
		changed := k.changedOf(e)
		if !e.expired(time.Now()) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) changedOf(e *entry) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return e.changed
}

// Renewable reports whether one of the grants' secrets is of a kind that is renewed.
func (k *Keeper) Renewable(grants []string) bool {
	view := *k.view.Load()
	for _, grant := range grants {
		if e := view[grant]; e != nil && e.renews.Load() {
			return true
		}
	}
	return false
}

// Rejected says that an upstream has answered 401 to a request with the secrets of
// grants, which were looked up after the time sent. It has those renewed that
// were not since, once for all who ask, and waits for that, for [WaitLimit] at
// most. It reports whether there is a newer secret than was sent.
func (k *Keeper) Rejected(ctx context.Context, grants []string, sent time.Time) (newer bool) {
	view := *k.view.Load()
	for _, grant := range grants {
		if e := view[grant]; e != nil && k.rejected(ctx, e, sent) {
			newer = true
		}
	}
	return newer
}

func (k *Keeper) rejected(ctx context.Context, e *entry, sent time.Time) (newer bool) {
	ctx, cancel := context.WithTimeout(ctx, WaitLimit)
	defer cancel()
	for begun := false; ; begun = true {
		changed, done, newer := k.force(ctx, e, sent, !begun)
		if done {
			return newer
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// force begins a renewal, if there is reason to and mayBegin. It returns done if
// there is nothing to wait for, and whether there is a newer secret.
func (k *Keeper) force(ctx context.Context, e *entry, sent time.Time, mayBegin bool) (changed <-chan struct{}, done, newer bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case e.newAt.After(sent):
		return nil, true, true
	case e.flying:
		return e.changed, false, false
	case !mayBegin || !e.policy.Forced(e.facts, time.Now()):
		e.rejected.Store(true)
		return nil, true, false
	}
	k.startLocked(ctx, e)
	return e.changed, false, false
}

// Used notes the answer to a request with the secrets of grants. It takes no lock.
func (k *Keeper) Used(grants []string, status int) {
	view, now := *k.view.Load(), time.Now().UnixNano()
	for _, grant := range grants {
		e := view[grant]
		if e == nil {
			continue
		}
		e.used.Store(now)
		e.status.Store(int32(status)) //nolint:gosec // three digits
		if status != http.StatusUnauthorized {
			e.rejected.Store(false)
		}
	}
}
