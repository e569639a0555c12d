package daemon

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
)

// target is a run to check, as it was when the check began.
type target struct{ token, runID, container string }

// targets returns the runs that have a container, those that want wants.
func (lc *LivenessChecker) targets(want func(target) bool) []target {
	var list []target
	for _, rc := range lc.registry.List() {
		t := target{rc.AuthToken, rc.RunID, rc.GetContainerID()}
		if t.container != "" && want(t) {
			list = append(list, t)
		}
	}
	return list
}

func every(target) bool { return true }

func none(target) bool { return false }

// CheckOnce asks about the containers of all runs, and returns when those that
// are gone are removed. Each failure counts, whenever the last was. A check that
// ctx ends removes nothing more.
func (lc *LivenessChecker) CheckOnce(ctx context.Context) { lc.checkAll(ctx, every) }

// checkAll does so, and counts the failures that it is told to.
func (lc *LivenessChecker) checkAll(ctx context.Context, counts func(target) bool) {
	list := lc.targets(every)
	lc.forgetAllBut(list)
	lc.check(ctx, list, counts)
}

// due reports whether a failure of the check of all runs counts.
func (lc *LivenessChecker) due(t target) bool {
	lc.mu.Lock()
	defer lc.mu.Unlock()
	return lc.strikes[digestOf(t.token)].counts(t.container, time.Now())
}

// check asks about the containers of list, and acts on what it finds out.
func (lc *LivenessChecker) check(ctx context.Context, list []target, counts func(target) bool) {
	lc.each(ctx, list, func(t target, alive bool, err error) {
		f := findingOf(alive, err)
		if f == unclear && !counts(t) {
			return
		}
		switch remove := lc.note(t, f); {
		case remove && f == gone:
			lc.remove(t, "its container is gone")
		case remove:
			lc.remove(t, fmt.Sprintf("its container could not be asked about %d times in a row: %v", checked().limit, err))
		case f == unclear:
			lc.log.WithError(err).WithField("run_id", t.runID).Warn("a container cannot be asked about")
		}
	})
}

// note keeps what a check found out, and reports whether the run is to be removed.
func (lc *LivenessChecker) note(t target, f finding) (remove bool) {
	lc.mu.Lock()
	defer lc.mu.Unlock()
	d := digestOf(t.token)
	next, remove := checked().judge(lc.strikes[d], t.container, f, time.Now())
	if lc.strikes[d] = next; next.failed == 0 {
		delete(lc.strikes, d)
	}
	return remove
}

// probes is how many containers are asked about at a time.
const probes = 8

// each asks about the containers of list and calls found, from several
// goroutines, with what it learns, unless ctx has ended. It returns when all
// calls have.
func (lc *LivenessChecker) each(ctx context.Context, list []target, found func(t target, alive bool, err error)) {
	work := make(chan target)
	var workers sync.WaitGroup
	for range min(probes, len(list)) {
		workers.Go(func() {
			for t := range work {
				alive, err := lc.checker.IsContainerRunning(ctx, t.container)
				if ctx.Err() == nil { // else a failure says nothing of the engine
					found(t, alive, err)
				}
			}
		})
	}
	for _, t := range list {
		work <- t
	}
	close(work)
	workers.Wait()
}

// forgetAllBut drops what is known of runs that there are no more.
func (lc *LivenessChecker) forgetAllBut(list []target) {
	live := make(map[digest]struct{}, len(list))
	containers := make(map[string]struct{}, len(list))
	for _, t := range list {
		live[digestOf(t.token)] = struct{}{}
		containers[t.container] = struct{}{}
	}
	if w, ok := lc.checker.(watcher); ok {
		w.keep(containers)
	}
	lc.mu.Lock()
	defer lc.mu.Unlock()
	maps.DeleteFunc(lc.strikes, func(d digest, _ strikes) bool {
		_, ok := live[d]
		return !ok
	})
}

// is reports whether the container is the one that a notice is about: runs name
// theirs by its id, the beginning of it, or its name.
func (t target) is(n notice) bool {
	return t.container == n.name || n.id != "" && strings.HasPrefix(n.id, t.container)
}
