package daemon

import "time"

// finding is what a check found out about a container.
type finding int

const (
	running finding = iota
	gone            // it has ended and is not started again by itself
	unclear         // it could not be asked about
)

func findingOf(alive bool, err error) finding {
	switch {
	case err != nil:
		return unclear
	case alive:
		return running
	}
	return gone
}

// patience says how long an engine is waited for that gives no answer.
type patience struct {
	limit int           // so many failures in a row stand for a container that is gone
	last  time.Duration // how long the one that would decide is put off
}

// engineGrace is longer than an engine is down for in an upgrade, or over lunch:
// a run that could not be asked about is worth more than a run too many.
const engineGrace = 2 * time.Hour

// checked is how a [LivenessChecker] waits.
func checked() patience { return patience{limit: 3, last: engineGrace} }

// strikes are the checks in a row that found out nothing about a container.
type strikes struct {
	container string
	failed    int
	next      time.Time // what fails before does not count
}

// judge returns what is known of a container after a check of it at the time
// now, and whether its run is to be removed. The strikes of another container
// count for nothing.
func (p patience) judge(s strikes, container string, f finding, now time.Time) (strikes, bool) {
	if f != unclear {
		return strikes{}, f == gone
	}
	if s.container != container {
		s = strikes{container: container}
	}
	s.failed++
	if s.failed == p.limit-1 {
		s.next = now.Add(p.last)
	}
	return s, s.failed >= p.limit
}

// counts reports whether a failure at the time now counts.
func (s strikes) counts(container string, now time.Time) bool {
	return s.container != container || !now.Before(s.next)
}
