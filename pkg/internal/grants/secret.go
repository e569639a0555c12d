package grants

import (
	"context"
	"fmt"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
)

// Secret returns the secret of grant as it is, for who knows better than its
// provider where to send it. It is found, and its errors are those, as
// [Resolver.Configure] says; but of the grants "mcp:NAME" each is looked up under
// this very name alone.
func (r *Resolver) Secret(ctx context.Context, grant string) (credential.Secret, error) {
	p, err := r.provider(grant)
	if err != nil {
		return "", err
	}
	fallback := p.Name()
	if p.Kept() {
		fallback = grant
	}
	c, err := r.credential(ctx, grant, fallback)
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
