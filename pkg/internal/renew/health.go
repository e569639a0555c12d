package renew

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Health is what is known of the credential of a grant. None of it is secret.
type Health struct {
	Grant   string // of a run
	Stored  string // the name that it is stored under, "" if it is missing
	State   string // one of the states
	Reason  string // why it is not fresh, "" if it is
	Kind    string // of its renewal, "" if nothing renews it
	Expires time.Time
	Renewed time.Time // when its secret was made
	Due     time.Time // when it is renewed next, zero if that is not planned
	Used    time.Time // when a request last carried it, since the daemon started
	Status  int       // of the last answer to one, 0 for none
}

// Health returns how the credentials of the live runs are, by grant.
func (k *Keeper) Health() []Health {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, now := make([]Health, 0), time.Now()
	view := *k.view.Load()
	for _, grant := range slices.Sorted(maps.Keys(view)) {
		if e := view[grant]; e != nil {
			all = append(all, e.healthLocked(grant, now))
			continue
		}
		all = append(all, Health{Grant: grant, State: StateMissing, Reason: k.missing[grant]})
	}
	return all
}

func (e *entry) healthLocked(grant string, now time.Time) Health {
	h := Health{
		Grant: grant, Stored: e.name, Kind: e.facts.Kind, Expires: e.facts.Expires, Renewed: e.facts.Begun,
		State: e.policy.State(e.facts, e.rejected.Load(), now), Status: int(e.status.Load()),
	}
	if at, ok := e.policy.Due(e.facts); ok {
		h.Due = at
	}
	if at := e.used.Load(); at != 0 {
		h.Used = time.Unix(0, at)
	}
	switch h.State {
	case StateFailing:
		h.Reason = cmp.Or(e.reason, "the service answers 401 "+http.StatusText(http.StatusUnauthorized)+"; run `moat grant "+e.name+"`")
	case StateExpiring:
		h.Reason = "it runs out at " + h.Expires.UTC().Format(time.RFC3339)
		if h.Kind == "" {
			h.Reason += "; run `moat grant " + e.name + "`"
		}
	}
	return h
}
