package grants

import (
	"context"
	"fmt"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// Secret returns the secret of grant as it is, for who knows better than its
// provider where to send it. It is found, and its errors are those, as
// [Resolver.Configure] says; but of the grants "mcp:NAME" each is looked up under
// this very name alone.
func (r *Resolver) Secret(ctx context.Context, grant string) (credential.Secret, error) {
	p, c, err := r.stored(ctx, grant)
	if err != nil {
		return "", err
	}
	if err := p.Check(c.Secret); err != nil {
		return "", fmt.Errorf("grant %s: %w; run `moat grant %s` again", grant, err, c.Grant)
	}
	for _, form := range p.Forms(c.Secret) {
		r.opts.Seen(form)
	}
	if _, token, ok := strings.Cut(c.Secret.Reveal(), " "); ok { // it has a scheme
		r.opts.Seen(token)
	}
	return c.Secret, nil
}

// Stored returns the credential that a run with the grant has; its own name may be
// the provider's. It is found, and its errors are those, as [Resolver.Secret] says.
func (r *Resolver) Stored(ctx context.Context, grant string) (*credential.Credential, error) {
	_, c, err := r.stored(ctx, grant)
	return c, err
}

func (r *Resolver) stored(ctx context.Context, grant string) (*providers.Provider, *credential.Credential, error) {
	p, err := r.provider(grant)
	if err != nil {
		return nil, nil, err
	}
	fallback := p.Name()
	if p.Kept() {
		fallback = grant
	}
	c, err := r.credential(ctx, grant, fallback)
	return p, c, err
}
