package credential

import (
	"context"
	"errors"
	"fmt"
)

// Errors to be tested with [errors.Is].
var (
	// ErrNotFound reports that the store has no credential of that grant.
	ErrNotFound = errors.New("no such credential")
	// ErrWrongKey reports a record that was sealed with another key or for
	// another purpose; with the right key it is as good as ever.
	ErrWrongKey = errors.New("sealed with another key")
	// ErrDamaged reports a record that is cut, changed, or not under its own name.
	ErrDamaged = errors.New("damaged, or not the record of this name")
)

// maxSecret is the longest secret in bytes. The longest of known use, a service
// account's JSON key, has about 2,400.
const maxSecret = 64 << 10

// Store keeps one credential for each grant. All methods are safe for concurrent
// use, refuse a name that [ParseGrant] refuses, and end early with the error of
// ctx. What they return shares no memory with the store.
type Store interface {
	// Get returns the credential of grant, or [ErrNotFound]. Of one that cannot
	// be read it returns [ErrDamaged] or [ErrWrongKey] and names grant and file.
	// A grant with a scope is looked up as it is, without falling back to the
	// provider's.
	Get(ctx context.Context, grant string) (*Credential, error)
	// Put stores c under c.Grant in place of what was there, and sets c's
	// fingerprint. It refuses an empty secret and one over 64 KiB; the secrets of
	// its Renewal may have 64 KiB together. What a newer version had stored with
	// a c that came from Get is kept. When it
	// returns nil, c survives a power cut; when it fails, what was there is as
	// it was. Of two at once, one wins whole.
	Put(ctx context.Context, c *Credential) error
	// Delete removes the credential of grant, readable or not; when it returns
	// nil, it does not come back after a power cut. Without one: [ErrNotFound].
	Delete(ctx context.Context, grant string) error
	// List returns all credentials by grant, with Secret empty. Those that
	// cannot be read are left out and named in the error, which stands beside
	// the others and not in their place.
	List(ctx context.Context) ([]Credential, error)
}

// checkPut says whether any store takes c.
func checkPut(ctx context.Context, c *Credential) error {
	if err := checkName(ctx, c.Grant); err != nil {
		return err
	}
	return checkSecret(c)
}

func checkSecret(c *Credential) error {
	if c.Secret == "" {
		return fmt.Errorf("credential %s: the secret is empty", c.Grant)
	}
	if len(c.Secret) > maxSecret {
		return fmt.Errorf("credential %s: the secret has %d bytes, more than %d", c.Grant, len(c.Secret), maxSecret)
	}
	if n := c.Renewal.size(); n > maxSecret {
		return fmt.Errorf("credential %s: what renews it has %d bytes, more than %d", c.Grant, n, maxSecret)
	}
	return nil
}

func checkName(ctx context.Context, grant string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, _, err := ParseGrant(grant)
	return err
}
