package renew

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// A Store has the credentials; [credential.FileStore] says what its methods do.
type Store interface {
	Get(ctx context.Context, grant string) (*credential.Credential, error)
	Hold(ctx context.Context, grant string) (release func(), err error)
	Swap(ctx context.Context, old, next *credential.Credential) error
}

const (
	// exchangeTime is how long a server or a command may take.
	exchangeTime = 30 * time.Second
	// holdTime is how long another process may hold the credential: one that ends
	// what it has begun for a daemon that has died.
	holdTime = exchangeTime + 15*time.Second
)

// A Renewer makes the next secrets of stored credentials. It is safe for
// concurrent use.
type Renewer struct {
	Store Store
	Roots *x509.CertPool // verify servers; nil means the system's
	// Environ is the environment of commands.
	Environ []string
	// Ending ends commands under way, which lose nothing: a daemon that has died
	// is not to be waited for. nil means never.
	Ending <-chan struct{}
}

// Renew replaces the secret of grant whose fingerprint is known to be old, and
// returns the credential without secrets; where another secret is stored
// already, that is the one. When it returns nil the secret is on disk, and so is
// what renews it the next time. ctx bounds how long the credential is waited for;
// what was sent to a server is always waited for and stored.
//
// The error is an [*Error], or of the store.
func (r *Renewer) Renew(ctx context.Context, grant, old string) (*credential.Credential, error) {
	waiting, cancel := context.WithTimeout(ctx, holdTime)
	defer cancel()
	release, err := r.Store.Hold(waiting, grant)
	if err != nil {
		return nil, err
	}
	defer release()
	c, err := r.Store.Get(ctx, grant)
	if err != nil || c.Fingerprint() != old {
		return c, err
	}
	ctx = context.WithoutCancel(ctx) // from here on something may be spent
	next, err := r.next(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := r.Store.Swap(ctx, c, next); err != nil {
		if errors.Is(err, credential.ErrChanged) {
			return r.Store.Get(ctx, grant) // what was granted meanwhile is newer
		}
		return nil, err
	}
	return next, nil
}

// next returns what is to be stored in place of c.
func (r *Renewer) next(ctx context.Context, c *credential.Credential) (*credential.Credential, error) {
	if !renewable(c.Renewal) {
		return nil, final("credential %s: nothing is known that renews it; run `moat grant %s` again", c.Grant, c.Grant)
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	next := *c
	renewal := *c.Renewal
	next.Renewal = &renewal
	life := c.ExpiresAt.Sub(c.CreatedAt) // of a secret whose maker does not say
	if c.RefreshedAt.After(c.CreatedAt) {
		life = c.ExpiresAt.Sub(c.RefreshedAt)
	}
	begun := time.Now()
	var err error
	switch c.Renewal.Kind {
	case credential.RenewalOAuth2:
		err = r.oauth2(ctx, &next)
	case credential.RenewalCommand:
		err = r.command(ctx, &next, life)
	case credential.RenewalGitHubApp:
		err = r.gitHubApp(ctx, &next)
	}
	if err != nil {
		return nil, prefixed(c.Grant, err)
	}
	next.RefreshedAt = begun
	return &next, nil
}

// prefixed puts the grant before the text of an error.
func prefixed(grant string, err error) error {
	text := fmt.Sprintf("credential %s was not renewed: %v", grant, err)
	if classOf(err) == Final {
		text += fmt.Sprintf("; run `moat grant %s` again", grant)
	}
	return &Error{classOf(err), text}
}
