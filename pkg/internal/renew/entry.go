package renew

import (
	"sync/atomic"
	"time"
)

// An entry is what is known of one stored credential. What requests read of it is
// atomic; the rest is guarded by the mutex of its keeper.
type entry struct {
	name   string
	policy Policy

	print   string // the fingerprint of the secret that is stored
	facts   Facts
	flying  bool          // it is being renewed
	reason  string        // why the last renewal failed, "" if it did not
	newAt   time.Time     // when live runs had the secret that is stored
	changed chan struct{} // closed and replaced at each change

	expires  atomic.Int64 // Unix time in ns of the secret's end, 0 if nothing can be waited for
	used     atomic.Int64 // Unix time in ns of the last request with it, 0 for none
	status   atomic.Int32 // of the last answer to one, 0 for none
	rejected atomic.Bool  // the last upstream has answered 401
	renews   atomic.Bool  // it is of a kind that is renewed
}

// same reports whether f and g are of one secret, whatever has failed.
func (f Facts) same(g Facts) bool {
	return f.Kind == g.Kind && f.Begun.Equal(g.Begun) && f.Expires.Equal(g.Expires)
}

// setLocked notes another secret, which live runs have by now.
func (e *entry) setLocked(facts Facts) {
	e.facts, e.reason, e.newAt = facts, "", time.Now()
	e.rejected.Store(false)
	e.tellLocked()
}

func (e *entry) failLocked(facts Facts, err error) {
	e.facts, e.reason = facts, err.Error()
	e.tellLocked()
}

// tellLocked wakes who waits for the entry.
func (e *entry) tellLocked() {
	var end int64
	if hopeful := e.facts.Failures < giveUp && (e.facts.Failures == 0 || e.facts.Class != Final); hopeful && e.facts.Kind != "" && !e.facts.Expires.IsZero() {
		end = e.facts.Expires.UnixNano()
	}
	e.expires.Store(end)
	e.renews.Store(e.facts.Kind != "")
	close(e.changed)
	e.changed = make(chan struct{})
}

// expired reports whether the secret has run out and may yet be renewed.
func (e *entry) expired(now time.Time) bool {
	end := e.expires.Load()
	return end != 0 && now.UnixNano() >= end
}
