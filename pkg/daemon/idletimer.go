package daemon

import (
	"sync"
	"time"
)

// An IdleTimer calls a function after a time in which nothing was going on. It
// is safe for concurrent use. A daemon that is to end when it has no runs uses
// [Registry.WaitIdle], which lets no run in between.
type IdleTimer struct {
	timeout time.Duration
	fn      func()

	mu    sync.Mutex
	timer *time.Timer // guarded by mu; nil before the first Reset
	wait  int         // guarded by mu; how many waits were begun or ended
}

// NewIdleTimer returns a timer that calls fn, in a goroutine of its own. It does
// not wait before the first Reset.
func NewIdleTimer(timeout time.Duration, fn func()) *IdleTimer {
	return &IdleTimer{timeout: timeout, fn: fn}
}

// Reset begins the wait, anew if it has begun or has ended.
func (t *IdleTimer) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopLocked()
	t.wait++
	wait := t.wait
	t.timer = time.AfterFunc(t.timeout, func() {
		if t.expire(wait) {
			t.fn()
		}
	})
}

// Cancel ends the wait. A call that has begun goes on.
func (t *IdleTimer) Cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopLocked()
}

func (t *IdleTimer) stopLocked() {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.wait++
}

// expire ends a wait, and reports false if a Reset or Cancel came between its
// end and now.
func (t *IdleTimer) expire(wait int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wait == wait
}
