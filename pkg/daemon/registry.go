package daemon

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/moatd/moatd/pkg/proxy"
)

// A Registry has the runs, by token. It is safe for concurrent use; lookups
// take no lock.
type Registry struct {
	granter Granter
	seen    func(secret string)

	live sync.Map // digest of a token to *RunContext: what lookups read

	mu      sync.Mutex
	ids     map[string]digest // guarded by mu; by run id, with the registrations under way
	count   int               // guarded by mu; of the runs in live
	closing bool              // guarded by mu
	changed chan struct{}     // guarded by mu; closed and replaced at each change
}

// digest is the SHA-256 of a token. Lookups compare digests, so that how long
// one takes says nothing about a token.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// RegistryOptions configure a Registry. The zero value of each is useful.
type RegistryOptions struct {
	// Granter finds the credentials of grants; nil means that there are none.
	Granter Granter
	// Seen is told each secret that a run brings with it, before it is used, so
	// that a log can leave it out. The tokens of [NewToken] are not among them:
	// what they look like is known, and there may be thousands.
	Seen func(secret string)
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
	return &Registry{granter: opts.Granter, seen: opts.Seen, ids: make(map[string]digest), changed: make(chan struct{})}
}

// tokenSize is the size of a token before it is written in hex, in bytes.
const tokenSize = 32

// NewToken returns a new proxy token: 32 random bytes in hex.
func NewToken() string {
	var b [tokenSize]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails; it ends the program instead
	return hex.EncodeToString(b[:])
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
	rc.tell(r.seen)
	if rc.snap.Load() == nil {
		rc.publish(nil, nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.putLocked(rc)
}

func (r *Registry) putLocked(rc *RunContext) {
	d := digestOf(rc.AuthToken)
	if old, replaced := r.live.Swap(d, rc); replaced {
		delete(r.ids, old.(*RunContext).RunID) //nolint:errcheck,forcetypeassert // the map has nothing else
	} else {
		r.count++
	}
	r.ids[rc.RunID] = d
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
	r.mu.Lock()
	v, ok := r.live.LoadAndDelete(digestOf(token))
	if !ok {
		r.mu.Unlock()
		return
	}
	rc := v.(*RunContext) //nolint:errcheck,forcetypeassert // the map has nothing else
	delete(r.ids, rc.RunID)
	r.count--
	r.touchLocked()
	r.mu.Unlock()
	rc.CancelRefresh()
}

// UpdateContainerID sets the container of the run with this token; it returns
// false if there is none.
func (r *Registry) UpdateContainerID(token, containerID string) bool {
	rc, ok := r.Lookup(token)
	if ok {
		rc.setContainerID(containerID)
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

// reserve keeps the id of rc, and its token, from being taken while rc is being
// stored. The caller calls put or release.
func (r *Registry) reserve(rc *RunContext) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return ErrClosing
	}
	d := digestOf(rc.AuthToken)
	if have, taken := r.ids[rc.RunID]; taken && have != d {
		return fmt.Errorf("%w: %s is registered under another token; unregister it first, or choose another id", ErrRunExists, rc.RunID)
	}
	if old, ok := r.Lookup(rc.AuthToken); ok && old.RunID != rc.RunID {
		return fmt.Errorf("%w: the token belongs to %s", ErrRunExists, old.RunID)
	}
	r.ids[rc.RunID] = d
	return nil
}

// release gives back what reserve kept.
func (r *Registry) release(rc *RunContext) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, live := r.Lookup(rc.AuthToken); !live {
		delete(r.ids, rc.RunID)
	}
}
