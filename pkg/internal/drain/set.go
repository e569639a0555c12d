package drain

import (
	"context"
	"sync"
)

// A Set knows what is under way. The zero value is empty; it is safe for
// concurrent use.
type Set[T comparable] struct {
	mu      sync.Mutex
	members map[T]struct{} // guarded by mu
	empty   chan struct{}  // guarded by mu; closed when the last is gone, nil unless awaited
}

// Add puts member into the set; it may be there already.
func (s *Set[T]) Add(member T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members == nil {
		s.members = make(map[T]struct{})
	}
	s.members[member] = struct{}{}
}

// Remove takes member out; it need not be in the set.
func (s *Set[T]) Remove(member T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, member)
	if len(s.members) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// Len returns the number of members.
func (s *Set[T]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members)
}

// All returns the members of this moment, in no order.
func (s *Set[T]) All() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	members := make([]T, 0, len(s.members))
	for m := range s.members {
		members = append(members, m)
	}
	return members
}

// Wait waits until the set is empty and reports whether it is before ctx ends.
func (s *Set[T]) Wait(ctx context.Context) bool {
	empty := s.emptied()
	select {
	case <-empty:
		return true
	case <-ctx.Done():
		return s.Len() == 0
	}
}

// emptied returns a channel that is closed once the set is empty.
func (s *Set[T]) emptied() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.members) == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	return s.empty
}
