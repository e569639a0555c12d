package renew_test

import (
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/internal/renew"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// facts returns those of a secret of an OAuth client that lives for so long.
func facts(life time.Duration, change ...func(*renew.Facts)) renew.Facts {
	f := renew.Facts{Kind: "oauth2", Begun: start, Expires: start.Add(life)}
	for _, fn := range change {
		fn(&f)
	}
	return f
}

func failures(n int, after time.Duration, class renew.Class) func(*renew.Facts) {
	return func(f *renew.Facts) { f.Failures, f.Failed, f.Class = n, start.Add(after), class }
}

func TestDue(t *testing.T) {
	for _, tt := range []struct {
		name   string
		facts  renew.Facts
		spread float64
		want   time.Duration // after start; -1 for never
	}{
		{"an hour is renewed five minutes before its end", facts(time.Hour), 0.5, 55 * time.Minute},
		{"one machine is earlier", facts(time.Hour), 1, 54 * time.Minute},
		{"another is later", facts(time.Hour), 0, 56 * time.Minute},
		{"ten minutes are renewed after nine", facts(10 * time.Minute), 0.5, 9 * time.Minute},
		{"ten seconds are renewed after nine", facts(10 * time.Second), 0.5, 9 * time.Second},
		{"an end before the beginning is due at the end", facts(-time.Minute), 0.5, -time.Minute},
		{"a secret whose beginning is not known counts as long", facts(time.Hour, func(f *renew.Facts) { f.Begun = time.Time{} }), 0.5, 55 * time.Minute},
		{"without an end it is never due", facts(0, func(f *renew.Facts) { f.Expires = time.Time{} }), 0.5, -1},
		{"what nothing renews is never due", facts(time.Hour, func(f *renew.Facts) { f.Kind = "" }), 0.5, -1},
		{"a first failure is tried again after a second", facts(time.Hour, failures(1, 55*time.Minute, renew.Retry)), 0.5, 55*time.Minute + time.Second},
		{"a fifth after sixteen", facts(time.Hour, failures(5, 55*time.Minute, renew.Retry)), 0.5, 55*time.Minute + 16*time.Second},
		{"a tenth after five minutes", facts(time.Hour, failures(10, 55*time.Minute, renew.Retry)), 0.5, 60 * time.Minute},
		{"then it is left alone for an hour", facts(time.Hour, failures(12, 55*time.Minute, renew.Retry)), 0.5, 115 * time.Minute},
		{"a failure long before does not bring it forward", facts(time.Hour, failures(1, 0, renew.Retry)), 0.5, 55 * time.Minute},
		{"what only a new grant mends is not tried again", facts(time.Hour, failures(1, 0, renew.Final)), 0.5, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, ok := renew.Policy{Spread: tt.spread}.Due(tt.facts)
			if never := tt.want == -1; ok == never || ok && !at.Equal(start.Add(tt.want)) {
				t.Errorf("Due = %v (%v after the start), %t; want %v", at, at.Sub(start), ok, tt.want)
			}
		})
	}
}

func TestForced(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts renew.Facts
		after time.Duration // of the rejection
		want  bool
	}{
		{"a secret in the middle of its life", facts(time.Hour), 30 * time.Minute, true},
		{"one that was just made", facts(time.Hour), 59 * time.Second, false},
		{"one that lives for a second, after half of it", facts(time.Second), 500 * time.Millisecond, true},
		{"one without an end", facts(0, func(f *renew.Facts) { f.Expires = time.Time{} }), time.Minute, true},
		{"one that nothing renews", facts(time.Hour, func(f *renew.Facts) { f.Kind = "" }), 30 * time.Minute, false},
		{"one whose grant is not taken", facts(time.Hour, failures(1, 0, renew.Final)), 30 * time.Minute, false},
		{"one whose server was down a moment ago", facts(time.Hour, failures(4, 30*time.Minute, renew.Retry)), 30*time.Minute + 7*time.Second, false},
		{"and a while ago", facts(time.Hour, failures(4, 30*time.Minute, renew.Retry)), 30*time.Minute + 8*time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (renew.Policy{}).Forced(tt.facts, start.Add(tt.after)); got != tt.want {
				t.Errorf("Forced = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestState(t *testing.T) {
	plain := func(f *renew.Facts) { f.Kind = "" }
	for _, tt := range []struct {
		name     string
		facts    renew.Facts
		rejected bool
		after    time.Duration
		want     string
	}{
		{"good", facts(time.Hour), false, time.Minute, renew.StateFresh},
		{"about to be renewed", facts(time.Hour), false, 59 * time.Minute, renew.StateFresh},
		{"run out", facts(time.Hour), false, time.Hour, renew.StateExpiring},
		{"soon to run out, and nobody renews it", facts(2*time.Hour, plain), false, time.Hour, renew.StateExpiring},
		{"good for long", facts(2*time.Hour, plain), false, 59 * time.Minute, renew.StateFresh},
		{"rejected", facts(time.Hour), true, time.Minute, renew.StateFailing},
		{"not renewed", facts(time.Hour, failures(1, 0, renew.Retry)), false, time.Minute, renew.StateFailing},
		{"without an end", facts(0, func(f *renew.Facts) { f.Expires = time.Time{} }), false, time.Minute, renew.StateFresh},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (renew.Policy{}).State(tt.facts, tt.rejected, start.Add(tt.after)); got != tt.want {
				t.Errorf("State = %q, want %q", got, tt.want)
			}
		})
	}
}
