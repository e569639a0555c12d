package activation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diary is a service manager that notes when it was told what.
type diary struct {
	start time.Time
	notes []note
}

type note struct {
	At   time.Duration
	What string
}

func (d *diary) notifier(interval time.Duration) *Notifier {
	d.start = time.Now()
	return &Notifier{interval: interval, send: func(state string) error {
		d.notes = append(d.notes, note{time.Since(d.start), state})
		return nil
	}}
}

func TestWatchdog(t *testing.T) {
	const ping = "WATCHDOG=1"
	sick := errors.New("database: no\nanswer")
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	ok := func(context.Context) error { return nil }
	fail := func(context.Context) error { return sick }
	late := func(ctx context.Context) error { <-ctx.Done(); return nil }
	slow := func(context.Context) error { time.Sleep(4 * time.Second); return nil }
	tests := []struct {
		name   string
		checks []func(context.Context) error // one after the other; ok when they are used up
		until  time.Duration
		want   []note
	}{
		{"pings at a third of the interval", nil, 7 * time.Second, []note{{0, ping}, {3 * time.Second, ping}, {6 * time.Second, ping}}},
		{
			"a failed check pings no more until one succeeds, and the status line says so",
			[]func(context.Context) error{ok, fail, fail},
			10 * time.Second,
			[]note{
				{0, ping},
				{3 * time.Second, "STATUS=unhealthy: database: no answer"},
				{6 * time.Second, "STATUS=unhealthy: database: no answer"},
				{9 * time.Second, ping},
				{9 * time.Second, "STATUS=serving"},
			},
		},
		{
			"a check that hangs is given up after half of the interval, so that the cause is told before the end",
			[]func(context.Context) error{hang, hang},
			10 * time.Second,
			[]note{
				{4500 * time.Millisecond, "STATUS=unhealthy: context deadline exceeded"},
				{9 * time.Second, "STATUS=unhealthy: context deadline exceeded"},
				{9 * time.Second, ping},
				{9 * time.Second, "STATUS=serving"},
			},
		},
		{
			"a check that succeeds too late has failed",
			[]func(context.Context) error{late},
			5 * time.Second,
			[]note{
				{4500 * time.Millisecond, "STATUS=unhealthy: not within 4.5s"},
				{4500 * time.Millisecond, ping},
				{4500 * time.Millisecond, "STATUS=serving"},
			},
		},
		{
			"a machine so slow that a check takes almost half of the interval is well",
			[]func(context.Context) error{slow, slow, ok, slow},
			16 * time.Second,
			[]note{{4 * time.Second, ping}, {8 * time.Second, ping}, {8 * time.Second, ping}, {15 * time.Second, ping}, {15 * time.Second, ping}},
		},
		{"the end during a check is no failure", []func(context.Context) error{ok, hang}, 4 * time.Second, []note{{0, ping}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				n := d.notifier(9 * time.Second)
				if err := n.Ready("serving"); err != nil {
					t.Fatal(err)
				}
				d.notes = nil
				ctx, cancel := context.WithTimeout(t.Context(), tt.until)
				defer cancel()
				calls := 0
				err := n.Watchdog(ctx, func(ctx context.Context) error {
					calls++
					if calls > len(tt.checks) {
						return ok(ctx)
					}
					return tt.checks[calls-1](ctx)
				})
				if err != nil {
					t.Errorf("Watchdog = %v, want nil", err)
				}
				if diff := cmp.Diff(tt.want, d.notes); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Under load a timer is late too, though never by much more than its time.
func TestOverslept(t *testing.T) {
	const every = 10 * time.Second
	for _, tt := range []struct {
		name        string
		pause, took time.Duration
		want        bool
	}{
		{"in time", every, every, false},
		{"late, on a busy machine", every, every + 3*time.Second, false},
		{"a check took all the time, so there was no pause", 0, 0, false},
		{"stopped for longer than the pings may be apart", every, time.Minute, true},
		{"stopped without a pause", 0, 11 * time.Second, true},
	} {
		if got := overslept(tt.pause, tt.took, every); got != tt.want {
			t.Errorf("%s: overslept(%v, %v, %v) = %t, want %t", tt.name, tt.pause, tt.took, every, got, tt.want)
		}
	}
}

func TestWatchdogWithoutAManagerWaitsForTheEnd(t *testing.T) {
	for name, n := range map[string]*Notifier{"nil": nil, "zero": {}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := n.Watchdog(ctx, nil); err != nil || time.Since(start) != time.Hour {
				t.Errorf("%s: Watchdog = %v after %v, want nil after 1h", name, err, time.Since(start))
			}
		})
	}
}

func TestWatchdogGoesOnWhenADatagramIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		n := &Notifier{interval: 3 * time.Second, send: func(string) error { sent++; return errors.New("full") }}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := n.Watchdog(ctx, func(context.Context) error { return nil }); err != nil || sent != 3 {
			t.Errorf("Watchdog = %v after %d pings, want nil after 3", err, sent)
		}
	})
}
