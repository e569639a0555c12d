package credential

import (
	"context"
	"fmt"
	"sync"
)

var _ Store = (*MemStore)(nil)

// MemStore is a [Store] that touches no disk and is gone with the process: for
// tests, and for programs that embed the daemon and hold the secrets themselves.
type MemStore struct {
	prints fingerprinter

	mu  sync.Mutex
	all map[string]func() Credential // by grant; see Key.raw
}

// NewMemStore returns an empty store, with a key of its own for fingerprints.
func NewMemStore() *MemStore {
	prints, err := newFingerprinter(newKey("memory"))
	if err != nil {
		panic(err) // HKDF fails only without a key, or for more than 8,160 bytes
	}
	return &MemStore{prints: prints, all: map[string]func() Credential{}}
}

// Get implements [Store].
func (s *MemStore) Get(ctx context.Context, grant string) (*Credential, error) {
	if err := checkName(ctx, grant); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.all[grant]
	if !ok {
		return nil, fmt.Errorf("credential %s: %w", grant, ErrNotFound)
	}
	c := stored().clone()
	return &c, nil
}

// Put implements [Store], less the power cut.
func (s *MemStore) Put(ctx context.Context, c *Credential) error {
	if err := checkPut(ctx, c); err != nil {
		return err
	}
	c.fingerprint = s.prints(c.Secret)
	stored := c.clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[c.Grant] = func() Credential { return stored }
	return nil
}

// Delete implements [Store].
func (s *MemStore) Delete(ctx context.Context, grant string) error {
	if err := checkName(ctx, grant); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.all[grant]; !ok {
		return fmt.Errorf("credential %s: %w", grant, ErrNotFound)
	}
	delete(s.all, grant)
	return nil
}

// List implements [Store].
func (s *MemStore) List(ctx context.Context) ([]Credential, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Credential, 0, len(s.all))
	for _, stored := range s.all {
		all = append(all, stored().public())
	}
	sortByGrant(all)
	return all, nil
}
