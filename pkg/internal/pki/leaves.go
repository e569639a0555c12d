package pki

import (
	"crypto/tls"
	"fmt"
	"sync"
	"time"
)

// maxLeaves is how many names are kept; at 4 KiB each (measured), 16 MiB.
const maxLeaves = 4096

// Leaves signs certificates for hosts and keeps them. It is safe for concurrent use.
type Leaves struct {
	ca *CA

	mu    sync.Mutex // for cache; not held while signing
	cache lru[*leaf]
}

// NewLeaves returns an empty cache of certificates signed by ca. What time it
// is, time.Now says.
func NewLeaves(ca *CA) *Leaves { return &Leaves{ca: ca, cache: newLRU[*leaf](maxLeaves)} }

// Get returns the certificate to show for name, with the CA's behind it. name is
// a host name or an IP address as in [hosts.Host]; any other spelling, wildcards
// too, is an error. Calls at the same time for one name share one signature. The
// certificate is shared; do not change it. An error is not kept.
func (l *Leaves) Get(name string) (*tls.Certificate, error) {
	leaf := l.leaf(name, time.Now())
	cert, err := leaf.cert()
	if err != nil {
		l.forget(name, leaf)
		return nil, fmt.Errorf("certificate for %.100q: %w", name, err)
	}
	return cert, nil
}

// leaf returns the leaf of name that is good at now, or one to be signed.
func (l *Leaves) leaf(name string, now time.Time) *leaf {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.cache.get(name); ok && old.goodAt(now) {
		return old
	}
	fresh := l.ca.newLeaf(name, now)
	l.cache.put(name, fresh)
	return fresh
}

// forget removes leaf, unless another has taken its place.
func (l *Leaves) forget(name string, leaf *leaf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept, ok := l.cache.get(name); ok && kept == leaf {
		l.cache.remove(name)
	}
}
