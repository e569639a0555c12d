package activation

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// WatchdogInterval is the longest time that the service manager waits for a
// ping before it kills this process; 0 means that it does not watch.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.interval
}

// Watchdog runs check three times per watchdog interval and pings the service
// manager after each success, until ctx ends; it then returns nil. Without a
// watchdog it only waits for ctx.
//
// After a failed check there is no ping, and the status line says why until the
// next success; unless that comes in time, the service manager kills the
// process (with SIGABRT, so that the log has every goroutine) and starts it
// anew. The context of a check ends when ctx does, or after half of the
// interval, with the cause that it was late, so that there is time to tell what
// is wrong; check has to return then, since Watchdog waits for it. What else is to be done about a failure, check
// does itself.
//
// A process that was stopped, as by a debugger or a machine that paused, may be
// out of time when it goes on, and has done nothing wrong: it pings before its
// next check.
//
// The error is that of a WATCHDOG_USEC or WATCHDOG_PID that is not a number.
func (n *Notifier) Watchdog(ctx context.Context, check func(context.Context) error) error {
	if n != nil && n.bad != nil {
		return fmt.Errorf("watchdog: %w", n.bad)
	}
	every := n.WatchdogInterval() / 3
	if every <= 0 {
		<-ctx.Done()
		return nil
	}
	for healthy := true; ; {
		begin := time.Now()
		healthy = n.beat(ctx, check, healthy)
		pause := max(0, every-time.Since(begin))
		begin = time.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if healthy && overslept(pause, time.Since(begin), every) {
			n.try(daemon.SdNotifyWatchdog)
		}
	}
}

// overslept reports whether a pause was so much longer than it was to be that
// the process cannot have run, however busy the machine.
func overslept(pause, took, every time.Duration) bool { return took-pause > every }

// beat checks once, tells the result, and returns whether all was well. before
// is the result of the beat before it.
func (n *Notifier) beat(ctx context.Context, check func(context.Context) error, before bool) bool {
	limit := n.interval / 2
	late := fmt.Errorf("not within %v", limit)
	limited, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	err := check(limited)
	switch {
	case ctx.Err() != nil: // the end is no failure
		return before
	case err == nil && limited.Err() != nil:
		err = late
	}
	if err != nil {
		n.try("STATUS=" + oneLine("unhealthy: "+err.Error()))
		return false
	}
	n.try(daemon.SdNotifyWatchdog)
	if last := n.status.Load(); !before && last != nil {
		n.try("STATUS=" + *last)
	}
	return true
}

// try sends state. A datagram that is lost is no reason to end: two more beats
// come before the service manager acts.
func (n *Notifier) try(state string) { _ = n.notify(state) }
