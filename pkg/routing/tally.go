package routing

import (
	"context"
	"sync"
)

// A tally counts what is under way. The zero value is zero; it is safe for
// concurrent use, also while it is waited for.
type tally struct {
	mu   sync.Mutex
	n    int           // guarded by mu
	zero chan struct{} // guarded by mu; closed when n is 0 again, nil unless awaited
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// wait waits until nothing is under way and reports whether that is so before
// ctx ends.
func (t *tally) wait(ctx context.Context) bool {
	select {
	case <-t.awaited():
		return true
	case <-ctx.Done():
		return t.count() == 0
	}
}

// awaited returns a channel that is closed once nothing is under way.
func (t *tally) awaited() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	return t.zero
}
