package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// waitIdle runs WaitIdle with a minute and returns after how long it was idle,
// -1 if it was not within an hour.
func waitIdle(t *testing.T, r *Registry, meanwhile func()) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	begin, ended := time.Now(), make(chan error)
	go func() { ended <- r.WaitIdle(ctx, time.Minute, nil) }()
	go meanwhile()
	err := <-ended
	defer time.Sleep(2 * time.Hour) // lets meanwhile end
	if err == nil {
		return -1
	}
	if !errors.Is(err, ErrIdle) {
		t.Errorf("WaitIdle = %v, want ErrIdle or nil", err)
	}
	return time.Since(begin)
}

func TestIdle(t *testing.T) {
	reserved := NewRunContext("reserved")
	reserved.AuthToken = "tr"
	for _, tt := range []struct {
		name      string
		before    func(*Registry)
		meanwhile func(*Registry)
		want      time.Duration
	}{
		{"a daemon without runs is idle after the whole time", nil, nil, time.Minute},
		{"a daemon with a run is never idle", func(r *Registry) { r.Register(NewRunContext("a")) }, nil, -1},
		{"the clock starts when the last run goes", func(r *Registry) { r.RegisterWithToken(NewRunContext("a"), "ta") }, func(r *Registry) {
			time.Sleep(10 * time.Minute)
			r.Unregister("ta")
		}, 11 * time.Minute},
		{"a run in between starts the clock again", nil, func(r *Registry) {
			time.Sleep(50 * time.Second)
			r.RegisterWithToken(NewRunContext("a"), "ta")
			r.Unregister("ta")
		}, 110 * time.Second},
		{"a refresh without runs does not", nil, func(r *Registry) {
			for range 100 {
				time.Sleep(50 * time.Second)
				r.Refresh(context.Background())
			}
		}, time.Minute},
		{"a registration under way keeps it open", func(r *Registry) { _ = r.reserve(reserved) }, nil, -1},
		{"one that fails lets it go", func(r *Registry) { _ = r.reserve(reserved) }, func(r *Registry) {
			time.Sleep(90 * time.Second)
			r.release(reserved)
		}, 2 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := NewRegistry()
				if tt.before != nil {
					tt.before(r)
				}
				got := waitIdle(t, r, func() {
					if tt.meanwhile != nil {
						tt.meanwhile(r)
					}
				})
				if got != tt.want {
					t.Errorf("idle after %v, want %v", got, tt.want)
				}
				late := NewRunContext("late")
				late.AuthToken = "tl"
				if err := r.reserve(late); errors.Is(err, ErrClosing) != (tt.want > 0) {
					t.Errorf("a registration afterwards = %v; refused by ErrClosing should be %t", err, tt.want > 0)
				}
			})
		})
	}
}

func TestIdleWaitsForWhatElseIsGoingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, asked := time.Now(), 0
		busy := func() bool { asked++; return time.Since(begin) < time.Hour }
		if err := NewRegistry().WaitIdle(t.Context(), 30*time.Minute, busy); !errors.Is(err, ErrIdle) {
			t.Errorf("WaitIdle = %v, want %v", err, ErrIdle)
		}
		if took := time.Since(begin); took != time.Hour || asked != 31 {
			t.Errorf("idle after %v, having asked %d times; want after %v, and once a minute from 30m on", took, asked, time.Hour)
		}
	})
}
