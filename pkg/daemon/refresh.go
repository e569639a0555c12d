package daemon

import (
	"context"
	"slices"
	"time"
)

// refreshInterval is the time between two refreshes of a run. It is below the
// five minutes before the end of a token in which it is made anew.
const refreshInterval = time.Minute

// StartTokenRefresh gives rc the credentials of its grants anew every minute,
// until ctx ends, rc is unregistered, or [RunContext.CancelRefresh] is called; it
// takes the place of a refresh that was started before. What it finds for them is
// up to the [Granter] of the registry that rc is in: while rc is in none, and
// for grants that are none of its own, nothing happens.
func StartTokenRefresh(ctx context.Context, rc *RunContext, grants []string) {
	rc.CancelRefresh()
	if len(grants) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	rc.SetRefreshCancel(cancel)
	grants = slices.Clone(grants)
	go func() {
		defer cancel()
		tick := time.NewTicker(refreshInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				rc.renew(ctx, grants)
			case <-ctx.Done():
				return
			}
		}
	}()
}

// renew equips the run, if it is registered and has one of the grants.
func (rc *RunContext) renew(ctx context.Context, grants []string) {
	has := func(grant string) bool { return slices.Contains(rc.Grants, grant) }
	if registry := rc.registry.Load(); registry != nil && slices.ContainsFunc(grants, has) {
		registry.equip(ctx, rc)
	}
}
