package daemon

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleTimer(t *testing.T) {
	const timeout = time.Minute
	for _, tt := range []struct {
		name string
		do   func(*IdleTimer)
		want int32 // calls, ten minutes later
	}{
		{"it does not wait before the first Reset", func(*IdleTimer) {}, 0},
		{"it calls once", func(it *IdleTimer) { it.Reset() }, 1},
		{"Reset begins the wait anew", func(it *IdleTimer) {
			for range 10 {
				it.Reset()
				time.Sleep(timeout - time.Second)
			}
		}, 1},
		{"Reset after a call waits again", func(it *IdleTimer) {
			it.Reset()
			time.Sleep(2 * timeout)
			it.Reset()
		}, 2},
		{"Cancel ends the wait", func(it *IdleTimer) {
			it.Reset()
			time.Sleep(timeout - time.Second)
			it.Cancel()
			it.Cancel()
		}, 0},
		{"Reset after Cancel waits again", func(it *IdleTimer) {
			it.Reset()
			it.Cancel()
			it.Reset()
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				tt.do(NewIdleTimer(timeout, func() { calls.Add(1) }))
				time.Sleep(10 * timeout)
				if got := calls.Load(); got != tt.want {
					t.Errorf("%d calls, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestAnIdleTimerMayBeUsedFromItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		var it *IdleTimer
		it = NewIdleTimer(time.Minute, func() {
			if calls.Add(1) < 3 {
				it.Reset()
			}
		})
		it.Reset()
		time.Sleep(time.Hour)
		if got := calls.Load(); got != 3 {
			t.Errorf("%d calls, want 3", got)
		}
	})
}

func TestAWaitThatWasCancelledAtItsEndCallsNothing(t *testing.T) {
	it := NewIdleTimer(time.Hour, func() {})
	it.Reset()
	late := it.wait
	it.Reset()
	if it.expire(late) {
		t.Error("expire(a wait that a Reset has ended) = true, want false")
	}
	if !it.expire(it.wait) {
		t.Error("expire(the wait that counts) = false, want true")
	}
	it.Cancel()
}
