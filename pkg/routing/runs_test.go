package routing

import (
	"errors"
	"slices"
	"sync"
	"testing"
)

// put registers routes that go with a run.
func put(tb testing.TB, table *RouteTable, agent, runID string) {
	tb.Helper()
	if err := table.Put(agent, Routes{map[string]string{"web": "h:1"}, runID}); err != nil {
		tb.Fatalf("Put(%s, run %s) = %v", agent, runID, err)
	}
}

func TestRoutesGoWithTheirRun(t *testing.T) {
	for _, tt := range []struct {
		name, run string
		gone      []string
	}{
		{"those registered for it, whatever the agents are called", "run_1", []string{"one", "uno"}},
		{"those registered for no run and called as it", "Loner", []string{"loner"}},
		{"those registered for it, and not those called as it for another run", "two", []string{"dos"}},
		{"none where the run has none", "run_9", nil},
		{"none for no id", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, m := newTable(t)
			put(t, table, "one", "run_1")
			put(t, table, "uno", "run_1")
			put(t, table, "two", "run_2")
			put(t, table, "dos", "two")
			put(t, table, "loner", "")
			before := table.Agents()
			got, err := table.RemoveRun(tt.run)
			slices.Sort(got)
			if err != nil || !slices.Equal(got, tt.gone) {
				t.Errorf("RemoveRun(%q) = %v, %v, want %v", tt.run, got, err, tt.gone)
			}
			want := slices.DeleteFunc(before, func(a string) bool { return slices.Contains(tt.gone, a) })
			if left := table.Agents(); !slices.Equal(left, want) || len(m.recs) != len(want) {
				t.Errorf("left: %v, on disk %v, want %v", left, m.recs, want)
			}
		})
	}
}

func TestKeepRemovesTheRoutesOfRunsThatAreGone(t *testing.T) {
	table, _ := newTable(t)
	put(t, table, "a", "lives")
	put(t, table, "b", "gone")
	put(t, table, "c", "")
	got, err := table.Keep(func(runID string) bool { return runID == "lives" })
	if err != nil || !slices.Equal(got, []string{"b"}) || !slices.Equal(table.Agents(), []string{"a", "c"}) {
		t.Errorf("Keep = %v, %v, and %v are left; want b gone, a and c left", got, err, table.Agents())
	}
}

func TestRoutesOfAnotherRunAreNotTakenOver(t *testing.T) {
	table, _ := newTable(t)
	put(t, table, "a", "run_1")
	if err := table.Put("A", Routes{map[string]string{"web": "h:2"}, "run_2"}); !errors.Is(err, ErrTaken) {
		t.Errorf("Put for another run = %v, want ErrTaken", err)
	}
	if addr, _ := table.LookupDefault("a"); addr != "h:1" {
		t.Errorf("LookupDefault(a) = %s, want h:1 as before", addr)
	}
	put(t, table, "a", "run_1")
	put(t, table, "a", "")
	put(t, table, "a", "run_2")
}

// What cannot be taken off the disk must at least not be served: another run's
// container may have the address by now.
func TestRoutesOfARunThatIsGoneAreNotServedWhateverTheDiskSays(t *testing.T) {
	table, m := newTable(t)
	put(t, table, "a", "run_1")
	broken := errors.New("disk broken")
	m.fail(broken)
	got, err := table.RemoveRun("run_1")
	if !errors.Is(err, broken) || !slices.Equal(got, []string{"a"}) || len(table.Agents()) != 0 {
		t.Errorf("RemoveRun = %v, %v, and %v are left; want a gone, and the error", got, err, table.Agents())
	}
	m.fail(nil)
	again, err := Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Keep(func(string) bool { return false }); err != nil || !slices.Equal(got, []string{"a"}) || len(m.recs) != 0 {
		t.Errorf("Keep after the next start = %v, %v, on disk %v; want a gone", got, err, m.recs)
	}
}

// A run that comes and goes takes no routes of another with it, however the two
// interleave.
func TestARunTakesOnlyItsOwnRoutesWithIt(t *testing.T) {
	table, _ := newTable(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				_ = table.Put("shared", Routes{map[string]string{"web": "h:1"}, "run_1"})
				_, _ = table.RemoveRun("run_1")
			}
		})
	}
	for i := range 300 {
		if err := table.Put("shared", Routes{map[string]string{"web": "h:2"}, "run_2"}); err != nil {
			continue // it is run_1's now
		}
		if addr, ok := table.LookupDefault("shared"); !ok || addr != "h:2" {
			t.Fatalf("round %d: LookupDefault = %q, %t, want h:2: run_2 has not gone", i, addr, ok)
		}
		_, _ = table.RemoveRun("run_2")
	}
	wg.Wait()
}
