package renew

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/credential"
)

// Options configure a Keeper. All but News and Log are required.
type Options struct {
	// Ask has the next secret of a grant made and stored. An error, and a failure
	// in the reply, say why there is none.
	Ask func(ctx context.Context, req Request) (Reply, error)
	// Stored returns the credential that a run with the grant has, which may be
	// stored under another name. It is not called for each request.
	Stored func(ctx context.Context, grant string) (*credential.Credential, error)
	// Grants returns the grants of the live runs, each once.
	Grants func() []string
	// Changed returns a channel that is closed when Grants or Stored may have
	// changed.
	Changed func() <-chan struct{}
	// Publish gives the live runs with one of the grants what is stored now, and
	// returns when their next request has it.
	Publish func(ctx context.Context, grants []string)
	News    func()         // is called when a renewal has ended; it does not block. nil means nobody
	Log     *logrus.Logger // nil means none
}

const (
	// askTime bounds one renewal, another process's included that is waited for.
	askTime = holdTime + exchangeTime + 15*time.Second
	// WaitLimit is how long a request waits for a renewal.
	WaitLimit = 30 * time.Second
)

// A Keeper renews what the live runs use, before it runs out, and knows how each
// credential is. It is safe for concurrent use.
type Keeper struct {
	opts    Options
	wake    chan struct{}  // has a value when the due times are to be looked at
	flights sync.WaitGroup // the renewals under way

	view atomic.Pointer[map[string]*entry] // by the grant of a run: what requests read; nil for what is missing

	looking sync.Mutex // one Look at a time, so that the last to read is the last to set

	mu      sync.Mutex
	entries map[string]*entry // guarded by mu; by the name that it is stored under
	missing map[string]string // guarded by mu; why, by the grant of a run
}

// NewKeeper returns a keeper that does nothing before [Keeper.Run].
func NewKeeper(opts Options) *Keeper {
	if opts.Log == nil {
		opts.Log = logrus.New()
		opts.Log.SetOutput(io.Discard)
	}
	if opts.News == nil {
		opts.News = func() {}
	}
	k := &Keeper{opts: opts, wake: make(chan struct{}, 1), entries: make(map[string]*entry)}
	k.view.Store(&map[string]*entry{})
	return k
}

// Run renews what is due until ctx ends; it then waits for what it has begun and
// returns nil.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.flights.Wait()
	for {
		changed := k.opts.Changed()
		k.Look(ctx)
		k.startDue(ctx)
		if !k.rest(ctx, changed) {
			return nil
		}
	}
}

// rest waits until something has changed; it returns false at the end of ctx.
func (k *Keeper) rest(ctx context.Context, changed <-chan struct{}) bool {
	for {
		var due <-chan time.Time
		stop := func() bool { return false }
		if at, ok := k.nextDue(); ok {
			t := time.NewTimer(time.Until(at))
			due, stop = t.C, t.Stop
		}
		select {
		case <-changed:
			stop()
			return true
		case <-k.wake:
		case <-due:
		case <-ctx.Done():
			stop()
			return false
		}
		stop()
		k.startDue(ctx)
	}
}

// poke has the due times looked at.
func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default: // they are going to be
	}
}

// Look reads what is stored for the grants of the live runs. Run does so at each
// change; a grant of a run that requests may come from before that is looked up
// too.
func (k *Keeper) Look(ctx context.Context, grants ...string) {
	k.looking.Lock()
	defer k.looking.Unlock()
	view, missing := make(map[string]*entry), make(map[string]string)
	for _, grant := range append(k.opts.Grants(), grants...) {
		c, err := k.opts.Stored(ctx, grant)
		switch {
		case ctx.Err() != nil:
			return // what failed says nothing of the grants
		case err != nil:
			view[grant], missing[grant] = nil, err.Error()
		default:
			view[grant] = k.learn(c)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.view.Store(&view)
	k.missing = missing
}

// learn brings the entry of a stored credential up to date.
func (k *Keeper) learn(c *credential.Credential) *entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.entries[c.Grant]
	if e == nil {
		e = &entry{name: c.Grant, policy: Policy{Spread: rand.Float64()}, changed: make(chan struct{})} //nolint:gosec // not for secrets
		k.entries[c.Grant] = e
	}
	facts := factsOf(c)
	if e.print == c.Fingerprint() && e.facts.same(facts) {
		return e
	}
	e.print = c.Fingerprint()
	e.setLocked(facts)
	return e
}

// nextDue returns when the first renewal is due that is not under way.
func (k *Keeper) nextDue() (first time.Time, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range *k.view.Load() {
		if e == nil {
			continue
		}
		at, due := e.policy.Due(e.facts)
		if due && !e.flying && (!ok || at.Before(first)) {
			first, ok = at, true
		}
	}
	return first, ok
}

// startDue begins the renewals that are due.
func (k *Keeper) startDue(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range *k.view.Load() {
		if e == nil {
			continue
		}
		if at, ok := e.policy.Due(e.facts); ok && !e.flying && !time.Now().Before(at) {
			k.startLocked(ctx, e)
		}
	}
}

// startLocked begins a renewal, of which there is never more than one.
func (k *Keeper) startLocked(ctx context.Context, e *entry) {
	e.flying = true
	req := Request{Grant: e.name, Old: e.print}
	k.flights.Go(func() {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		reply, err := k.opts.Ask(asking, req)
		if err == nil && reply.Failure != "" {
			err = &Error{reply.Class, reply.Failure}
		}
		if err == nil {
			k.opts.Publish(asking, k.grantsOf(e)) // before anybody is told that it is there
		}
		k.landed(e, reply, err)
		k.opts.News()
	})
}

// grantsOf returns the grants of runs that have the credential.
func (k *Keeper) grantsOf(e *entry) []string {
	var all []string
	for grant, have := range *k.view.Load() {
		if have == e {
			all = append(all, grant)
		}
	}
	return all
}

// landed notes how a renewal has ended.
func (k *Keeper) landed(e *entry, reply Reply, err error) {
	log := k.opts.Log.WithField("grant", e.name)
	k.mu.Lock()
	defer k.mu.Unlock()
	e.flying = false
	if err == nil {
		e.print = reply.Fingerprint
		facts := e.facts
		facts.Expires, facts.Failures = reply.Expires, 0
		if !reply.Refreshed.IsZero() {
			facts.Begun = reply.Refreshed
		}
		e.setLocked(facts)
		log.WithField("expires", reply.Expires).Info("credential renewed")
		k.poke()
		return
	}
	facts := e.facts
	facts.Failures, facts.Failed, facts.Class = facts.Failures+1, time.Now(), classOf(err)
	e.failLocked(facts, err)
	if line := log.WithError(err); facts.Failures == 1 || facts.Class == Final || facts.Failures == giveUp {
		line.Warn("credential not renewed; moat grant show says how it is")
	} else {
		line.Debug("credential not renewed")
	}
	k.poke()
}
