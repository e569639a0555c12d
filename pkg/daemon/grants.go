package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"

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

// A Shaper is a [Granter] that also knows which parts of which hosts a grant is
// for while its credential is missing.
type Shaper interface {
	// Shape does what Configure would do, without the secret.
	Shape(grant string, into credential.ProxyConfigurer)
}

// noGranter is the Granter of a registry without a credential store.
type noGranter struct{}

func (noGranter) Configure(_ context.Context, grant string, _ credential.ProxyConfigurer) error {
	return errors.New("grant " + grant + ": this daemon has no credential store")
}

func (noGranter) Hosts(string) []string { return nil }

// equip gives rc the credentials of its grants, as they are now, and returns
// what is missing. It is the one way to do so: for a new run, a restored one,
// and after a refresh.
func (r *Registry) equip(ctx context.Context, rc *RunContext) []proxy.MissingGrant {
	rc.equipping.Lock() // one after the other, so that what was found last is what counts
	defer rc.equipping.Unlock()
	begun := r.refreshes.Load()
	rc.regain(r.seen)
	granted := &granted{secrets: make(map[string]credential.Secret)}
	missing := append(r.configure(ctx, rc, granted), r.secrets(ctx, rc, granted)...)
	_ = r.assume(rc) // an error stands in what the handler answers
	if ctx.Err() != nil && rc.snap.Load() != nil {
		return rc.degraded() // what failed says nothing of the grants
	}
	if err := rc.lostRules(); err != nil {
		missing = append(missing, proxy.MissingGrant{Grant: "registration", Reason: "run " + rc.RunID + ": " + err.Error()})
	}
	rc.equipped.Store(begun)
	rc.publish(granted, missing)
	return rc.degraded()
}

// configure gives each grant of the run a layer.
func (r *Registry) configure(ctx context.Context, rc *RunContext, into *granted) []proxy.MissingGrant {
	var missing []proxy.MissingGrant
	for i, grant := range rc.Grants {
		if rc.elsewhere(grant) || slices.Contains(rc.Grants[:i], grant) {
			continue
		}
		l := newLayer()
		l.grant = grant
		err := r.granter.Configure(ctx, grant, l)
		if err != nil && r.brought(rc, grant) {
			continue
		}
		if err != nil {
			missing = append(missing, proxy.MissingGrant{Grant: grant, Hosts: r.granter.Hosts(grant), Reason: err.Error()})
			l = r.shape(grant, err)
		}
		into.layers = append(into.layers, l)
	}
	return missing
}

// shape returns the layer of a grant whose credential is missing.
func (r *Registry) shape(grant string, reason error) *layer {
	l := newLayer()
	l.grant, l.missing = grant, proxy.Missing{Grant: grant, Reason: reason.Error()}
	if s, ok := r.granter.(Shaper); ok {
		s.Shape(grant, l)
	}
	return l
}

// brought reports whether the run was registered with a credential of its own
// for the grant. Where there is no credential store, credentials that name no
// grant count for each: there is nobody else to have them from.
func (r *Registry) brought(rc *RunContext, grant string) bool {
	_, storeless := r.granter.(noGranter)
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	for _, c := range rc.Credentials {
		if c.Grant == grant || storeless && c.Grant == "" {
			return true
		}
	}
	return storeless && len(rc.TokenSubstitutions) > 0
}

// degraded returns what the run lacks: the grants that have no credential, and
// whatever else its requests are refused for.
func (rc *RunContext) degraded() []proxy.MissingGrant {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	if rc.broken == nil {
		return rc.missing
	}
	return append(slices.Clone(rc.missing), proxy.MissingGrant{Grant: "rules", Reason: "run " + rc.RunID + ": " + rc.broken.Error()})
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
