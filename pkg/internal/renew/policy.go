package renew

import (
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

const (
	// maxLead is how long before its end a secret is renewed at most. A tenth of
	// its life is left for that if it lives shorter than 50 minutes.
	maxLead = 5 * time.Minute
	// jitter is the part of the lead by which a renewal comes later or earlier, so
	// that not all credentials of all machines are renewed in one moment.
	jitter = 0.2
	// firstBackoff and lastBackoff are the times after a failure before the next
	// attempt; it doubles with each.
	firstBackoff = time.Second
	lastBackoff  = 5 * time.Minute
	// giveUp is how many attempts fail, one after the other, before a credential
	// is left alone for pause, or until something changes.
	giveUp = 12
	pause  = time.Hour
	// forceEvery is how often a secret that an upstream has rejected is renewed: a
	// service that answers 401 to all must not make us ask for secrets without end.
	forceEvery = time.Minute
)

// A Class says what a failure means for the next attempt.
type Class int

// The classes of failures.
const (
	// Retry is a failure that may pass: the network, a server that is down.
	Retry Class = iota
	// Final is one that only a new grant mends: a refresh token that is not taken.
	Final
)

// Facts are what is known of a credential, for [Policy] to judge.
type Facts struct {
	Kind     string    // of its renewal, "" for none
	Begun    time.Time // when its secret was made
	Expires  time.Time // zero means that it is not known
	Failures int       // attempts that have failed since the last success or change
	Failed   time.Time // when the last of them did
	Class    Class     // of the last failure
}

// factsOf returns the facts of a credential of which nothing has failed.
func factsOf(c *credential.Credential) Facts {
	f := Facts{Begun: c.CreatedAt, Expires: c.ExpiresAt}
	if c.RefreshedAt.After(f.Begun) {
		f.Begun = c.RefreshedAt
	}
	if renewable(c.Renewal) {
		f.Kind = c.Renewal.Kind
	}
	return f
}

// renewable reports whether r is of a kind that is renewed here. The keys of AWS
// make the secrets of a role by themselves.
func renewable(r *credential.Renewal) bool {
	if r == nil {
		return false
	}
	switch r.Kind {
	case credential.RenewalOAuth2, credential.RenewalCommand, credential.RenewalGitHubApp:
		return true
	}
	return false
}

// Policy decides when things are done. It has no state and no clock.
type Policy struct {
	// Spread is 0 to 1, and spreads the renewals of many; it is drawn once for
	// each credential.
	Spread float64
}

// Due returns when a credential is to be renewed; ok is false if not before
// something changes, be it that an upstream rejects it.
func (p Policy) Due(f Facts) (at time.Time, ok bool) {
	if f.Kind == "" || f.Expires.IsZero() {
		return time.Time{}, false
	}
	at = f.Expires.Add(-p.lead(f))
	if f.Failures == 0 {
		return at, true
	}
	if f.Class == Final {
		return time.Time{}, false
	}
	if again := f.Failed.Add(backoff(f.Failures)); again.After(at) {
		at = again
	}
	return at, true
}

// lead is how long before its end the secret is renewed.
func (p Policy) lead(f Facts) time.Duration {
	lead := maxLead
	if life := f.Expires.Sub(f.Begun); !f.Begun.IsZero() {
		lead = min(lead, max(life, 0)/10)
	}
	return time.Duration(float64(lead) * (1 - jitter + 2*jitter*p.Spread))
}

// backoff is how long to wait after so many failures in a row.
func backoff(failures int) time.Duration {
	if failures >= giveUp {
		return pause
	}
	return min(firstBackoff<<min(failures-1, 10), lastBackoff)
}

// Forced reports whether a secret that an upstream has rejected at now is to be
// renewed.
func (Policy) Forced(f Facts, now time.Time) bool {
	if f.Kind == "" || f.Failures > 0 && f.Class == Final {
		return false
	}
	if f.Failures > 0 && now.Before(f.Failed.Add(backoff(f.Failures))) {
		return false
	}
	every := forceEvery
	if life := f.Expires.Sub(f.Begun); !f.Expires.IsZero() && life > 0 {
		every = min(every, life/2)
	}
	return !now.Before(f.Begun.Add(every))
}

// The states of a credential.
const (
	StateFresh    = "fresh"    // it is good, as far as is known
	StateExpiring = "expiring" // it has run out, or will within an hour and nothing renews it
	StateFailing  = "failing"  // its renewal fails, or an upstream rejects it
	StateMissing  = "missing"  // a run needs it, and it is not there
)

// soon is how long before its end a credential that nobody renews is expiring.
const soon = time.Hour

// State returns the state of a credential at now. rejected says that the last
// upstream that was sent it has answered 401.
func (Policy) State(f Facts, rejected bool, now time.Time) string {
	switch {
	case f.Failures > 0 || rejected:
		return StateFailing
	case f.Expires.IsZero():
		return StateFresh
	case !now.Before(f.Expires), f.Kind == "" && !now.Before(f.Expires.Add(-soon)):
		return StateExpiring
	}
	return StateFresh
}
