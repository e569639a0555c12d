// Package credential keeps secrets at rest, and says how one is handed to a proxy.
package credential

import "time"

// Credential is a secret with what is known about it. It prints without the secret.
type Credential struct {
	Grant     string    // its name; see [ParseGrant]
	Secret    Secret    // empty in what [Store.List] returns
	Source    string    // where it came from: "prompt", "stdin" or "env:NAME"
	CreatedAt time.Time // when it was granted
	ExpiresAt time.Time // when the provider ends it; zero means never, or not known

	RefreshedAt time.Time // when Renewal made the secret; zero means that it is as it was granted
	// Renewal is what the next secret is made of, nil if nothing is known. What
	// [Store.List] returns of it has no secrets.
	Renewal *Renewal

	fingerprint string // set by a Store, which has a key to make it with
	newer       unknown
}

// Fingerprint is eight hex digits by which a person tells one secret from
// another, as when asking whether a rotation arrived. It is empty until a
// [Store] has put or got the credential.
//
// It is safe to show: it is a MAC under a key of the store that is never shown,
// so nobody without the store can test a guess against it, however weak the
// secret; a plain hash would let them. Two stores give one secret different
// fingerprints. Among 77,000 secrets, two share one with even odds: it is no identity.
func (c *Credential) Fingerprint() string { return c.fingerprint }

// Equal reports whether c and d say the same of the same secret, times compared
// as instants.
func (c Credential) Equal(d Credential) bool {
	return c.Grant == d.Grant && c.Source == d.Source && c.Secret.Equal(d.Secret) &&
		c.CreatedAt.Equal(d.CreatedAt) && c.ExpiresAt.Equal(d.ExpiresAt) &&
		c.RefreshedAt.Equal(d.RefreshedAt) && c.Renewal.equal(d.Renewal)
}

// clone returns a copy that shares no memory with c.
func (c Credential) clone() Credential {
	c.Renewal = c.Renewal.clone()
	return c
}

// public returns a copy without secrets.
func (c Credential) public() Credential {
	c.Secret, c.Renewal, c.newer = "", c.Renewal.public(), nil
	return c
}
