package daemon

import (
	"context"
	"fmt"
)

// RestoreRuns registers runs that were kept on disk, each under its token, and
// finds the credentials of its grants again. It returns how many runs have all
// of them; the others are registered too, and degraded: requests that need what
// is missing are refused with the reason.
func RestoreRuns(ctx context.Context, registry *Registry, runs []PersistedRun) int {
	var whole int
	for _, run := range runs {
		rec := record{V: recordVersion, PersistedRun: run, kept: run.rest}
		if registry.restore(ctx, rec.run(nil)) {
			whole++
		}
	}
	return whole
}

// Restored says what became of the runs on disk.
type Restored struct {
	Runs     int // registered, degraded ones included
	Degraded int // registered without one of their credentials
}

// Restore registers the runs on disk, as [RestoreRuns] does, with the rules that
// they were registered with. The error names the records that cannot be read;
// they stay on disk, and the other runs are there.
func (p *RunPersister) Restore(ctx context.Context) (Restored, error) {
	var done Restored
	recs, err := p.load()
	for _, rec := range recs {
		done.Runs++
		if !p.registry.restore(ctx, rec.run(p.sealer)) {
			done.Degraded++
		}
	}
	if err != nil {
		return done, fmt.Errorf("restore the runs: %w", err)
	}
	return done, nil
}

// restore registers a run with its token and reports whether it has all of its
// credentials. A record without a token or an id cannot be registered.
func (r *Registry) restore(ctx context.Context, rc *RunContext) bool {
	if rc.AuthToken == "" || rc.RunID == "" {
		return false
	}
	missing := r.equip(ctx, rc)
	r.RegisterWithToken(rc, rc.AuthToken)
	return len(missing) == 0
}
