package daemon

import (
	"context"
	"slices"
	"time"
)

// Refresh gives every run the credentials of its grants anew, as after a change
// of the credential store. It returns the number of runs that are degraded. If
// ctx ends, the runs that are left keep what they have.
func (r *Registry) Refresh(ctx context.Context) int {
	r.refreshes.Add(1)
	return r.refresh(ctx, func(rc *RunContext) bool { return len(rc.Grants)+len(rc.MCPServers) > 0 || rc.isDegraded() })
}

// RefreshGrants does so for the runs that have one of the grants.
func (r *Registry) RefreshGrants(ctx context.Context, grants []string) {
	r.refreshes.Add(1)
	r.refresh(ctx, func(rc *RunContext) bool {
		return slices.ContainsFunc(rc.wants(), func(g string) bool { return slices.Contains(grants, g) })
	})
}

// wants returns the grants of the run, those of its MCP servers included.
func (rc *RunContext) wants() []string {
	all := slices.Clone(rc.Grants)
	for _, s := range rc.MCPServers {
		if s.Auth != nil {
			all = append(all, s.Auth.Grant)
		}
	}
	return all
}

// Grants returns the grants of all runs, each once, sorted.
func (r *Registry) Grants() []string {
	var all []string
	for _, rc := range r.List() {
		all = append(all, rc.wants()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *Registry) refresh(ctx context.Context, which func(*RunContext) bool) (degraded int) {
	for _, rc := range r.List() {
		if which(rc) {
			r.equip(ctx, rc)
		}
		if rc.isDegraded() {
			degraded++
		}
	}
	r.touch()
	return degraded
}

// catchUp equips a run anew that became live during a refresh, which may have
// missed it.
func (r *Registry) catchUp(ctx context.Context, rc *RunContext) {
	if rc.equipped.Load() != r.refreshes.Load() {
		r.equip(ctx, rc)
	}
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
	var retry <-chan time.Time // nil, so never ready, while no run is degraded
	for {
		changed := r.Changed()
		switch degraded := slices.ContainsFunc(r.List(), (*RunContext).isDegraded); {
		case !degraded:
			retry, wait = nil, firstRetry
		case retry == nil: // a change of other runs must not put it off
			retry = time.After(wait)
		}
		select {
		case <-retry:
			r.refresh(ctx, (*RunContext).isDegraded)
			retry, wait = nil, min(2*wait, lastRetry)
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
