package moatd

import (
	"context"
	"time"
)

const (
	// attendEvery is how often it is looked for what nobody tells: that the machine
	// slept, that the program was replaced.
	attendEvery = 10 * time.Second
	// shortSleep is the longest difference of the clocks that is no sleep: setting
	// the wall clock does as much.
	shortSleep = 30 * time.Second
)

// A clock is both clocks of the machine, read at once. The second one stands still
// while the machine sleeps.
type clock func() (wall time.Time, awake time.Duration)

// systemClock returns the machine's.
func systemClock() clock {
	start := time.Now()
	return func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Round(0), now.Sub(start) // Round strips what Sub counts by
	}
}

// slept returns how long the machine slept while the clocks went on by wall and
// awake, 0 if it did not. A wall clock that was set forward looks the same, which
// does no harm; one that was set back is no sleep.
func slept(wall, awake time.Duration) time.Duration {
	if d := wall - awake; d > shortSleep {
		return d
	}
	return 0
}

// attend looks after what changes without a word, until ctx ends.
func (d *parts) attend(ctx context.Context) error {
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	replaced := d.exe.changed()
	wall, awake := d.clock()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		nowWall, nowAwake := d.clock()
		if slept := slept(nowWall.Sub(wall), nowAwake-awake); slept > 0 {
			d.wake(ctx, slept)
		}
		wall, awake = nowWall, nowAwake
		if now := d.exe.changed(); now != replaced {
			replaced = now
			d.noticeExe(now)
		}
	}
}

// wake does what is to be done after a sleep: connections to upstreams are dead
// although they look open, and credentials may have been changed or have run out.
func (d *parts) wake(ctx context.Context, slept time.Duration) {
	d.log.WithField("slept", slept.Round(time.Second).String()).Info("the machine slept: idle connections to upstreams dropped")
	d.proxy.DropIdle()
	d.reload(ctx)
}

func (d *parts) noticeExe(replaced bool) {
	if replaced {
		d.log.WithField("path", d.exe.path).Info("another moatd is installed; it counts from the next start: moat daemon restart")
	}
	d.tellStatus()
}
