package daemon

import (
	"context"
	"sync"
	"time"
)

// A watcher is a ContainerChecker that hears from its engines.
type watcher interface {
	// watch calls heard, from any number of goroutines, at each notice, until
	// ctx ends. heard does not block.
	watch(ctx context.Context, heard func(notice))
	// keep forgets what is remembered of all containers but these.
	keep(containers map[string]struct{})
}

// notice says that a container may have ended. The zero notice says so of all:
// an engine begins to tell, and what came before went unheard.
type notice struct{ id, name string }

// settle is how long after its end a container is asked about. A restart, which
// is an end and a start, takes less.
const settle = 500 * time.Millisecond

// Run checks all runs at once and then every 30 s, and those of which a
// container engine says that their container has ended within a second, until
// ctx ends; it returns when its last check has.
//
// While an engine does not answer, its runs stay: the third failure in a row,
// which would remove a run, counts only 2 h after the second. An engine may be
// down for less than that, and nothing is lost.
func (lc *LivenessChecker) Run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	if w, ok := lc.checker.(watcher); ok {
		parts.Go(func() { lc.listen(ctx, w, &parts) })
	}
	tick := time.NewTicker(lc.interval)
	defer tick.Stop()
	for {
		lc.checkAll(ctx, lc.due)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// listen hears the engines while a run has a container. An engine that is started
// by its first connection is thus left alone by a daemon that has no need of it.
func (lc *LivenessChecker) listen(ctx context.Context, w watcher, parts *sync.WaitGroup) {
	for lc.registry.await(ctx, lc.registry.hasContainers) {
		during, stop := context.WithCancel(ctx)
		var watching sync.WaitGroup
		watching.Go(func() {
			w.watch(during, func(n notice) { lc.hear(ctx, n, parts) })
		})
		lc.registry.await(ctx, func() bool { return !lc.registry.hasContainers() })
		stop()
		watching.Wait()
	}
}

// await waits until ok, which only the registry can change; it reports false if
// ctx ends before.
func (r *Registry) await(ctx context.Context, ok func() bool) bool {
	for {
		changed := r.Changed()
		if ctx.Err() != nil || ok() {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// hasContainers reports whether a run has one.
func (r *Registry) hasContainers() (found bool) {
	r.live.Range(func(_, v any) bool {
		found = v.(*RunContext).GetContainerID() != "" //nolint:errcheck,forcetypeassert // the map has nothing else
		return !found
	})
	return found
}

// hear asks about the containers that a notice may be about, once it has
// settled.
func (lc *LivenessChecker) hear(ctx context.Context, n notice, parts *sync.WaitGroup) {
	list := lc.targets(func(t target) bool { return n == notice{} || t.is(n) })
	if len(list) == 0 {
		return
	}
	parts.Go(func() {
		select {
		case <-time.After(settle):
			lc.check(ctx, list, none) // failures come in swarms when an engine ends
		case <-ctx.Done():
		}
	})
}
