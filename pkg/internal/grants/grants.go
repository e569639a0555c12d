// Package grants turns the names of grants into configured credentials.
package grants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// Errors to be tested with [errors.Is].
var (
	// ErrNoCredential reports a grant for which nothing is stored.
	ErrNoCredential = errors.New("no credential")
	// ErrUnknownProvider reports a grant that no provider is there for, be it
	// that its file is bad.
	ErrUnknownProvider = errors.New("unknown provider")
)

// Options configure a Resolver.
type Options struct {
	Store credential.Store // required
	// ProvidersDir holds the user's own providers; "" means none.
	ProvidersDir string
	// Seen is called with each secret, and each header value made of one, before
	// it is put anywhere, so that the log can keep it out; nil means nobody wants
	// to know. It is called by several goroutines, and with the same text again.
	Seen func(secret string)
}

// Resolver finds the credential and the provider of a grant. It is safe for
// concurrent use.
type Resolver struct {
	opts Options
	set  atomic.Pointer[providers.Set]

	reload sync.Mutex // one Reload after the other, so that the last to read is the last to set
}

// New returns a resolver with the providers as they are now. A bad file of the
// user's is no error here: see [Resolver.Problems].
func New(opts Options) (*Resolver, error) {
	if opts.Store == nil {
		return nil, errors.New("grants: no credential store")
	}
	if opts.Seen == nil {
		opts.Seen = func(string) {}
	}
	set, err := providers.Load(opts.ProvidersDir)
	if set == nil {
		return nil, err
	}
	r := &Resolver{opts: opts}
	r.set.Store(set)
	return r, nil
}

// Configure sets in into what the provider of grant does with its credential.
// That of a grant with a scope, "github:org/repo", is the one stored under
// this very name, else the provider's, "github"; one that is there but cannot be
// read is an error, and no reason to take the other. Either way it is used under
// the name of grant.
//
// On an error nothing was set: [ErrUnknownProvider], [ErrNoCredential], with a
// text that says what to do, those of [credential.Store] for a record that
// cannot be read, or that the secret cannot be sent in a header.
func (r *Resolver) Configure(ctx context.Context, grant string, into credential.ProxyConfigurer) error {
	full, ok := into.(providers.Configurer)
	if !ok {
		return fmt.Errorf("grant %s: a %T cannot be configured", grant, into)
	}
	p, err := r.provider(grant)
	if err != nil {
		return err
	}
	c, err := r.credential(ctx, grant, p.Name())
	if err != nil {
		return err
	}
	if err := p.Check(c.Secret); err != nil {
		return fmt.Errorf("grant %s: %w; run `moat grant %s` again", grant, err, c.Grant)
	}
	for _, form := range p.Forms(c.Secret) {
		r.opts.Seen(form)
	}
	p.Configure(grant, c.Secret, full)
	return nil
}

// Shape sets in into, which is a [providers.Configurer], what Configure would set,
// without the secret: whoever asks knows then where the credential would go.
func (r *Resolver) Shape(grant string, into credential.ProxyConfigurer) {
	p, err := r.provider(grant)
	full, ok := into.(providers.Configurer)
	if err != nil || !ok {
		return
	}
	p.Configure(grant, "", full)
}

// credential looks for the exact name first, then for the provider's.
func (r *Resolver) credential(ctx context.Context, grant, provider string) (*credential.Credential, error) {
	c, err := r.opts.Store.Get(ctx, grant)
	if errors.Is(err, credential.ErrNotFound) && grant != provider {
		c, err = r.opts.Store.Get(ctx, provider)
	}
	if errors.Is(err, credential.ErrNotFound) {
		return nil, fmt.Errorf("grant %s: %w; run `moat grant %s`", grant, ErrNoCredential, grant)
	}
	if err != nil {
		return nil, fmt.Errorf("grant %s: %w", grant, err)
	}
	return c, nil
}

func (r *Resolver) provider(grant string) (*providers.Provider, error) {
	name, scope, err := credential.ParseGrant(grant)
	if err != nil {
		return nil, err
	}
	set := r.set.Load()
	if p, ok := set.Get(name); ok {
		return p, checkScope(p, grant, scope)
	}
	if bad := set.Broken(name); bad != nil {
		oneLine := strings.ReplaceAll(bad.Error(), "\n", "; ")
		return nil, fmt.Errorf("grant %s: %w: its file is bad: %s", grant, ErrUnknownProvider, oneLine)
	}
	return nil, fmt.Errorf("grant %s: %w %s", grant, ErrUnknownProvider, name)
}

// checkScope says why a grant cannot have its scope.
func checkScope(p *providers.Provider, grant, scope string) error {
	if scope == "" {
		return nil
	}
	if err := p.CheckScope(scope); err != nil {
		return fmt.Errorf("grant %s: %w", grant, err)
	}
	return nil
}

// Provider returns the provider of grant.
func (r *Resolver) Provider(grant string) (*providers.Provider, bool) {
	p, err := r.provider(grant)
	return p, err == nil
}

// Hosts returns the hosts that grant is for, sorted, whether or not there is a
// credential; nil if the provider is unknown.
func (r *Resolver) Hosts(grant string) []string {
	p, ok := r.Provider(grant)
	if !ok {
		return nil
	}
	return p.Hosts()
}

// Env returns the variables, with placeholders, that the processes of a run
// with grant get; nil if the provider is unknown.
func (r *Resolver) Env(grant string) map[string]string {
	p, ok := r.Provider(grant)
	if !ok {
		return nil
	}
	return p.Env()
}

// Reload reads the providers again. One whose file is bad now stays as it was,
// so that a slip in an editor takes no credential from a live run; the error is
// what [Resolver.Problems] says from now on. One whose file was removed goes.
func (r *Resolver) Reload() error {
	r.reload.Lock()
	defer r.reload.Unlock()
	set, err := providers.Load(r.opts.ProvidersDir)
	if set == nil {
		return err
	}
	r.set.Store(set.Keeping(r.set.Load()))
	return err
}

// Problems returns one error for each bad file of a provider, by file; after a
// [Resolver.Reload], for each that is bad now.
func (r *Resolver) Problems() []error { return r.set.Load().Problems() }
