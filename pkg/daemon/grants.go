package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/proxy"
)

// A Granter knows the credentials behind the names of grants. It must be safe
// for concurrent use.
type Granter interface {
	// Configure puts the credential of the grant into a run. An error, whose
	// text says what to do and holds no secret, means that it set nothing.
	Configure(ctx context.Context, grant string, into credential.ProxyConfigurer) error
	// Hosts returns the hosts that the grant is for, also where its credential
	// is missing; nil means that it is not known which.
	Hosts(grant string) []string
}

// noGranter is the Granter of a registry without a credential store.
type noGranter struct{}

func (noGranter) Configure(_ context.Context, grant string, _ credential.ProxyConfigurer) error {
	return errors.New("grant " + grant + ": this daemon has no credential store")
}

func (noGranter) Hosts(string) []string { return nil }

// equip gives rc the credentials of its grants, as they are now. It is the one
// way to do so: for a new run, a restored one, and after a refresh.
func (r *Registry) equip(ctx context.Context, rc *RunContext) []proxy.MissingGrant {
	granted := newLayer()
	var missing []proxy.MissingGrant
	for _, grant := range rc.Grants {
		err := r.granter.Configure(ctx, grant, granted)
		if err != nil && !rc.brought(grant) {
			missing = append(missing, proxy.MissingGrant{Grant: grant, Hosts: r.granter.Hosts(grant), Reason: err.Error()})
		}
	}
	if rc.lost != nil {
		missing = append(missing, proxy.MissingGrant{Grant: "registration", Reason: "run " + rc.RunID + ": " + rc.lost.Error()})
	}
	rc.publish(granted, missing)
	return missing
}

// brought reports whether the run was registered with a credential of its own
// for the grant.
func (rc *RunContext) brought(grant string) bool {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	for _, c := range rc.Credentials {
		if c.Grant == grant {
			return true
		}
	}
	return false
}

// Refresh gives every run the credentials of its grants anew, as after a change
// of the credential store. It returns the number of runs that are degraded.
func (r *Registry) Refresh(ctx context.Context) int {
	return r.refresh(ctx, func(rc *RunContext) bool { return len(rc.Grants) > 0 })
}

func (r *Registry) refresh(ctx context.Context, which func(*RunContext) bool) (degraded int) {
	for _, rc := range r.List() {
		if which(rc) {
			r.equip(ctx, rc)
		}
		if len(rc.degraded()) > 0 {
			degraded++
		}
	}
	r.mu.Lock()
	r.touchLocked()
	r.mu.Unlock()
	return degraded
}

// The times between two attempts to find a missing credential.
const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// Heal tries again, with back-off, to find the credentials of degraded runs,
// until ctx ends; it returns nil then.
func (r *Registry) Heal(ctx context.Context) error {
	wait := firstRetry
	for {
		changed := r.Changed()
		var retry <-chan time.Time // nil, so never ready, while no run is degraded
		if slices.ContainsFunc(r.List(), (*RunContext).isDegraded) {
			retry = time.After(wait)
		}
		select {
		case <-retry:
			if r.refresh(ctx, (*RunContext).isDegraded) == 0 {
				wait = firstRetry
			}
			wait = min(2*wait, lastRetry)
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (rc *RunContext) isDegraded() bool { return len(rc.degraded()) > 0 }

// reasons says why a run is degraded, "" if it is not.
func reasons(missing []proxy.MissingGrant) string {
	texts := make([]string, len(missing))
	for i, m := range missing {
		texts[i] = m.Reason
	}
	return strings.Join(texts, "; ")
}

// Degraded returns the ids of the runs that lack a credential.
func (r *Registry) Degraded() []string {
	var ids []string
	for _, rc := range r.List() {
		if rc.isDegraded() {
			ids = append(ids, rc.RunID)
		}
	}
	return ids
}
