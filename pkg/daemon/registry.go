package daemon

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/moatd/moatd/pkg/proxy"
)

// A Registry has the runs, by token. It is safe for concurrent use; lookups
// take no lock.
type Registry struct {
	granter Granter
	seen    func(secret string)
	aws     func(runID string, role AWSConfig) (http.Handler, error) // nil for none

	turns     turns        // of the changes that reach the disk, too
	refreshes atomic.Int64 // how many refreshes of all runs have begun

	live sync.Map // digest of a token to *RunContext: what lookups read

	mu      sync.Mutex
	ids     map[string]digest // guarded by mu; by run id, with the registrations under way
	count   int               // guarded by mu; of the runs in live
	put     uint64            // guarded by mu; how many runs were ever put into live
	closing bool              // guarded by mu
	changed chan struct{}     // guarded by mu; closed and replaced at each change
}

// RegistryOptions configure a Registry. The zero value of each is useful.
type RegistryOptions struct {
	// Granter finds the credentials of grants; nil means that there are none.
	Granter Granter
	// Seen is told each secret that a run brings with it, before it is used, so
	// that a log can leave it out. The tokens of [NewToken] are not among them:
	// what they look like is known, and there may be thousands.
	Seen func(secret string)
	// AWS returns the handler of the credentials of a run's role, which is made
	// once for each run; the error says what is wrong with the role. nil means
	// that no roles are assumed.
	AWS func(runID string, role AWSConfig) (http.Handler, error)
}

// NewRegistry returns an empty registry, whose runs get no credentials from
// grants; see [NewRegistryWith].
func NewRegistry() *Registry { return NewRegistryWith(RegistryOptions{}) }

// NewRegistryWith returns an empty registry.
func NewRegistryWith(opts RegistryOptions) *Registry {
	if opts.Granter == nil {
		opts.Granter = noGranter{}
	}
	if opts.Seen == nil {
		opts.Seen = func(string) {}
	}
	return &Registry{granter: opts.Granter, seen: opts.Seen, aws: opts.AWS, ids: make(map[string]digest), changed: make(chan struct{})}
}

// Register adds rc, whose exported fields must not be written afterwards, and
// returns its new token. It does not make it durable; the server does.
func (r *Registry) Register(rc *RunContext) string {
	token := NewToken()
	r.RegisterWithToken(rc, token)
	return token
}

// RegisterWithToken adds rc under a token that its container has already. A run
// that has the token now is replaced.
func (r *Registry) RegisterWithToken(rc *RunContext, token string) {
	rc.AuthToken = token
	rc.registry.Store(r)
	rc.tell(r.seen)
	if rc.snap.Load() == nil {
		rc.publish(nil, nil)
	}
	if old := r.admit(rc); old != nil && old != rc {
		old.CancelRefresh()
	}
}

// admit makes rc live and returns the run that it replaces, nil if there is none.
func (r *Registry) admit(rc *RunContext) (old *RunContext) {
	d := digestOf(rc.AuthToken)
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, replaced := r.live.Swap(d, rc); replaced {
		old = v.(*RunContext) //nolint:errcheck,forcetypeassert // the map has nothing else
		r.freeLocked(old, d)
	} else {
		r.count++
	}
	r.ids[rc.RunID] = d
	r.put++
	r.touchLocked()
	return old
}

// freeLocked gives the id of rc back, unless it belongs to another token now.
func (r *Registry) freeLocked(rc *RunContext, d digest) {
	if r.ids[rc.RunID] == d {
		delete(r.ids, rc.RunID)
	}
}

// touch wakes who waits for a change.
func (r *Registry) touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touchLocked()
}

// touchLocked wakes who waits for a change.
func (r *Registry) touchLocked() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Lookup returns the run with this token.
func (r *Registry) Lookup(token string) (*RunContext, bool) {
	v, ok := r.live.Load(digestOf(token))
	if !ok {
		return nil, false
	}
	return v.(*RunContext), true //nolint:errcheck,forcetypeassert // the map has nothing else
}

// Snapshot returns what the proxy sees of the run with this token.
func (r *Registry) Snapshot(token string) (*proxy.RunContextData, bool) {
	rc, ok := r.Lookup(token)
	if !ok {
		return nil, false
	}
	return rc.snap.Load(), true
}

// Unregister removes the run with this token, if there is one.
func (r *Registry) Unregister(token string) {
	if rc := r.drop(digestOf(token)); rc != nil {
		rc.CancelRefresh()
	}
}

// drop ends the life of a run and returns it, nil if there is none.
func (r *Registry) drop(d digest) *RunContext {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.live.LoadAndDelete(d)
	if !ok {
		return nil
	}
	rc := v.(*RunContext) //nolint:errcheck,forcetypeassert // the map has nothing else
	r.freeLocked(rc, d)
	r.count--
	r.touchLocked()
	return rc
}

// UpdateContainerID sets the container of the run with this token; it returns
// false if there is none.
func (r *Registry) UpdateContainerID(token, containerID string) bool {
	defer r.turns.take(token)()
	rc, ok := r.Lookup(token)
	if ok {
		rc.setContainerID(containerID)
		r.touch()
	}
	return ok
}

// Count returns the number of runs.
func (r *Registry) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// List returns the runs in the order of their registration.
func (r *Registry) List() []*RunContext {
	var runs []*RunContext
	r.live.Range(func(_, v any) bool {
		runs = append(runs, v.(*RunContext)) //nolint:errcheck,forcetypeassert // the map has nothing else
		return true
	})
	slices.SortFunc(runs, func(a, b *RunContext) int {
		return cmp.Or(a.RegisteredAt.Compare(b.RegisteredAt), cmp.Compare(a.RunID, b.RunID))
	})
	return runs
}
