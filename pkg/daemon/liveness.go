package daemon

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/logging"
)

// A ContainerChecker knows whether a container runs. It returns true, nil if it
// does; false, nil if it is known not to, and not to start again by itself; and
// an error if that could not be found out, which says nothing about the
// container. It must be safe for concurrent use.
type ContainerChecker interface {
	IsContainerRunning(ctx context.Context, id string) (alive bool, err error)
}

// A LivenessChecker removes the runs whose containers are gone. A run whose
// container nobody has named is none of its business. It is safe for concurrent
// use.
//
// A run is removed at once if its container is gone, and if three checks in a row
// could not find out; how far apart these are is up to [LivenessChecker.Run].
type LivenessChecker struct {
	registry *Registry
	checker  ContainerChecker
	interval time.Duration
	log      *logrus.Logger

	cleanup   atomic.Pointer[func(token, runID string)]
	empty     atomic.Pointer[func()]
	persister atomic.Pointer[RunPersister]

	mu      sync.Mutex
	strikes map[digest]strikes // guarded by mu; by token, of the runs that could not be asked about
}

// LivenessOptions configure a LivenessChecker.
type LivenessOptions struct {
	Registry  *Registry        // required
	Checker   ContainerChecker // required
	Persister *RunPersister    // where the runs are kept; nil means nowhere
	Interval  time.Duration    // between two checks of all runs; 0 means 30 s
	Log       *logrus.Logger   // nil means no log
}

// checkInterval is the time between two checks of all runs. An engine whose
// events are heard is asked much sooner.
const checkInterval = 30 * time.Second

// NewLivenessChecker returns a checker that looks every 30 s, and keeps the runs
// nowhere until [LivenessChecker.SetPersister].
func NewLivenessChecker(registry *Registry, checker ContainerChecker) *LivenessChecker {
	return NewLivenessCheckerWith(LivenessOptions{Registry: registry, Checker: checker})
}

// NewLivenessCheckerWith returns a checker.
func NewLivenessCheckerWith(opts LivenessOptions) *LivenessChecker {
	lc := &LivenessChecker{registry: opts.Registry, checker: opts.Checker, interval: opts.Interval, log: opts.Log}
	if lc.interval == 0 {
		lc.interval = checkInterval
	}
	if lc.log == nil {
		lc.log = logrus.New()
		lc.log.SetOutput(io.Discard)
	}
	lc.strikes = make(map[digest]strikes)
	lc.persister.Store(opts.Persister)
	return lc
}

// SetOnCleanup sets what is called, with its token and its id, after a run is
// removed; nil for nothing.
func (lc *LivenessChecker) SetOnCleanup(fn func(token, runID string)) { lc.cleanup.Store(&fn) }

// SetOnEmpty sets what is called after the last run is removed. A run may have
// been registered meanwhile; to end an idle daemon use [Registry.WaitIdle],
// which knows.
func (lc *LivenessChecker) SetOnEmpty(fn func()) { lc.empty.Store(&fn) }

// SetPersister sets where the runs are kept, so that a removal is durable before
// it is told; nil for nowhere.
func (lc *LivenessChecker) SetPersister(p *RunPersister) { lc.persister.Store(p) }

// remove removes the run of a target, unless it has another container by now.
// One that cannot be removed from the disk stays, for the next check.
func (lc *LivenessChecker) remove(t target, why string) {
	rc, last, err := lc.registry.dismiss(t.token, lc.persister.Load(), func(rc *RunContext) bool {
		return rc.GetContainerID() == t.container
	})
	switch {
	case err == nil:
	case errors.Is(err, ErrRunNotFound):
		return
	default:
		lc.log.WithError(err).WithField("run_id", t.runID).Error("the run of a container that is gone cannot be removed")
		return
	}
	lc.log.WithFields(logrus.Fields{
		"run_id": rc.RunID, "container_id": t.container, logging.FieldMessageID: logging.MessageIDRunRemoved,
	}).Info("run removed: " + why)
	if fn := lc.cleanup.Load(); fn != nil && *fn != nil {
		(*fn)(t.token, rc.RunID)
	}
	if fn := lc.empty.Load(); last && fn != nil && *fn != nil {
		(*fn)()
	}
}
