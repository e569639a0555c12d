package daemon

import (
	"errors"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	const hour = 60
	type step struct {
		at        int // minutes
		container string
		finding   finding
		counted   bool // whether a scheduled check counts it
		removes   bool
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"a container that is gone costs its run at once", []step{{0, "c", gone, true, true}}},
		{"a container that runs costs nothing", []step{{0, "c", running, true, false}, {1, "c", running, true, false}}},
		{"three failures in a row remove", []step{
			{0, "c", unclear, true, false}, {1, "c", unclear, true, false}, {1 + 2*hour, "c", unclear, true, true},
		}},
		{"the third failure does not count before two hours are over", []step{
			{0, "c", unclear, true, false},
			{1, "c", unclear, true, false},
			{2 * hour, "c", unclear, false, false},
			{1 + 2*hour, "c", unclear, true, true},
		}},
		{"an engine that was down for an hour and answers begins anew", []step{
			{0, "c", unclear, true, false},
			{1, "c", unclear, true, false},
			{hour, "c", running, false, false},
			{hour + 1, "c", unclear, true, false},
			{hour + 2, "c", unclear, true, false},
			{hour + 3, "c", unclear, false, false},
		}},
		{"a container that is gone when its engine answers again costs its run", []step{
			{0, "c", unclear, true, false}, {1, "c", unclear, true, false}, {hour, "c", gone, false, true},
		}},
		{"failures of another container count for nothing", []step{
			{0, "c", unclear, true, false},
			{1, "c", unclear, true, false},
			{2, "d", unclear, true, false},
			{3, "d", unclear, true, false},
			{3 + 2*hour, "d", unclear, true, true},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s strikes
			start := time.Now()
			for i, st := range tt.steps {
				now := start.Add(time.Duration(st.at) * time.Minute)
				if got := s.counts(st.container, now); got != st.counted {
					t.Errorf("step %d: counts = %v, want %v", i, got, st.counted)
				}
				if st.finding == unclear && !st.counted {
					continue
				}
				var removes bool
				if s, removes = checked().judge(s, st.container, st.finding, now); removes != st.removes {
					t.Errorf("step %d: judge removes = %v, want %v", i, removes, st.removes)
				}
			}
		})
	}
}

func TestFindings(t *testing.T) {
	for _, tt := range []struct {
		alive bool
		err   error
		want  finding
	}{
		{true, nil, running},
		{false, nil, gone},
		{false, errors.New("no answer"), unclear},
		{true, errors.New("no answer"), unclear},
	} {
		if got := findingOf(tt.alive, tt.err); got != tt.want {
			t.Errorf("findingOf(%v, %v) = %v, want %v", tt.alive, tt.err, got, tt.want)
		}
	}
}
