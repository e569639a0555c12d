package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dock is a ContainerChecker: it knows what is said of each container, and
// answers errDown for all while it is down. It implements watcher.
type dock struct {
	mu       sync.Mutex
	ended    map[string]bool     // guarded by mu; the containers that have ended
	down     bool                // guarded by mu
	asked    []string            // guarded by mu
	during   func(id string)     // called before each answer, unless nil
	tell     chan notice         // what watch passes on; nil for nothing
	watching atomic.Int32        // how many calls of watch there are
	kept     map[string]struct{} // guarded by mu
}

var errDown = errors.New("the engine is down")

func (d *dock) IsContainerRunning(ctx context.Context, id string) (bool, error) {
	if d.during != nil {
		d.during(id)
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, id)
	if d.down {
		return false, errDown
	}
	return !d.ended[id], nil
}

func (d *dock) watch(ctx context.Context, heard func(notice)) {
	d.watching.Add(1)
	defer d.watching.Add(-1)
	for {
		select {
		case n := <-d.tell:
			heard(n)
		case <-ctx.Done():
			return
		}
	}
}

func (d *dock) keep(containers map[string]struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = containers
}

func (d *dock) set(down bool, ended ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down, d.ended = down, make(map[string]bool)
	for _, id := range ended {
		d.ended[id] = true
	}
}

func (d *dock) times(id string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if a == id {
			n++
		}
	}
	return n
}

// berth registers a run for each container, by the container's name, "" for one
// without, and stores them.
func berth(t *testing.T, containers ...string) (*Registry, *RunPersister, *memStore) {
	t.Helper()
	disk := new(memStore)
	r := NewRegistry()
	p := &RunPersister{registry: r, runs: disk}
	for i, c := range containers {
		rc := NewRunContext("run-" + c)
		rc.RegisteredAt = time.Unix(int64(i), 0)
		rc.ContainerID = c
		r.RegisterWithToken(rc, "token-"+c)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	return r, p, disk
}

func idsOf(r *Registry) []string {
	var ids []string
	for _, rc := range r.List() {
		ids = append(ids, rc.RunID)
	}
	return ids
}

func TestACheckRemovesWhatIsGone(t *testing.T) {
	r, p, disk := berth(t, "a", "b", "")
	d := new(dock)
	d.set(false, "b", "")
	lc := NewLivenessChecker(r, d)
	lc.SetPersister(p)
	var told []string
	lc.SetOnCleanup(func(token, runID string) {
		told = append(told, fmt.Sprintf("%s %s, on disk %v, live %v", token, runID, disk.ids(), idsOf(r)))
	})
	lc.SetOnEmpty(func() { told = append(told, "empty") })
	lc.CheckOnce(t.Context())
	if got, want := idsOf(r), []string{"run-a", "run-"}; !slices.Equal(got, want) {
		t.Errorf("after a check the runs are %v, want %v: the one without a container stays", got, want)
	}
	want := []string{"token-b run-b, on disk [run- run-a], live [run-a run-]"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told, after the removal is durable (-want +got):\n%s", diff)
	}
	if d.times("") > 0 {
		t.Error("a run without a container was asked about")
	}
	if _, ok := d.kept["a"]; !ok || len(d.kept) != 2 {
		t.Errorf("the checker is to remember %v, want a and b", d.kept)
	}
}

func TestTheLastRunThatIsGoneIsTold(t *testing.T) {
	r, p, _ := berth(t, "a")
	d := new(dock)
	d.set(false, "a")
	var empty int
	lc := NewLivenessCheckerWith(LivenessOptions{Registry: r, Checker: d, Persister: p})
	lc.CheckOnce(t.Context()) // with nobody to tell
	r, _, _ = berth(t, "a")
	lc = NewLivenessChecker(r, d)
	lc.SetOnCleanup(nil)
	lc.SetOnEmpty(func() { empty++ })
	lc.CheckOnce(t.Context())
	if empty != 1 || r.Count() != 0 {
		t.Errorf("told %d times that it is empty, with %d runs, want once with none", empty, r.Count())
	}
}

func TestThreeChecksInARowThatFailRemove(t *testing.T) {
	r, _, _ := berth(t, "a")
	d := new(dock)
	lc := NewLivenessChecker(r, d)
	for i, down := range []bool{true, true, false, true, true} {
		d.set(down)
		if lc.CheckOnce(t.Context()); r.Count() != 1 {
			t.Fatalf("after check %d the run is gone, want it to stay: no three in a row have failed", i+1)
		}
	}
	if lc.CheckOnce(t.Context()); r.Count() != 0 {
		t.Error("after three checks in a row that failed the run is there, want it gone")
	}
}

func TestAContainerThatChangesDuringACheckKeepsItsRun(t *testing.T) {
	r, p, disk := berth(t, "a")
	d := new(dock)
	d.set(false, "a")
	d.during = func(string) { r.UpdateContainerID("token-a", "b") }
	lc := NewLivenessCheckerWith(LivenessOptions{Registry: r, Checker: d, Persister: p})
	lc.CheckOnce(t.Context())
	if got := idsOf(r); len(got) != 1 || len(disk.ids()) != 1 {
		t.Errorf("the runs are %v in memory and %v on disk, want run-a: it has another container by now", got, disk.ids())
	}
}

func TestACheckWhoseContextEndsCountsForNothing(t *testing.T) {
	r, _, _ := berth(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	lc := NewLivenessChecker(r, &dock{during: func(string) { cancel() }})
	for range 5 {
		lc.CheckOnce(ctx)
	}
	if r.Count() != 1 || len(lc.strikes) != 0 {
		t.Errorf("%d runs and %d strikes, want one and none", r.Count(), len(lc.strikes))
	}
}

func TestARunThatCannotBeRemovedFromDiskStays(t *testing.T) {
	r, p, disk := berth(t, "a")
	d := new(dock)
	d.set(false, "a")
	var told int
	lc := NewLivenessCheckerWith(LivenessOptions{Registry: r, Checker: d, Persister: p})
	lc.SetOnCleanup(func(string, string) { told++ })
	disk.fail(errors.New("disk full"))
	if lc.CheckOnce(t.Context()); r.Count() != 1 || told != 0 {
		t.Errorf("%d runs, told %d times, want the run to stay as it does on disk", r.Count(), told)
	}
	disk.fail(nil)
	if lc.CheckOnce(t.Context()); r.Count() != 0 || told != 1 {
		t.Errorf("%d runs, told %d times, want the next check to remove it", r.Count(), told)
	}
}

func TestStrikesOfRunsThatWentAreForgotten(t *testing.T) {
	r, _, _ := berth(t, "a", "b")
	d := new(dock)
	d.set(true)
	lc := NewLivenessChecker(r, d)
	lc.CheckOnce(t.Context())
	r.Unregister("token-a")
	lc.CheckOnce(t.Context())
	if len(lc.strikes) != 1 {
		t.Errorf("%d strikes are remembered, want those of run-b alone", len(lc.strikes))
	}
}

// sail runs a checker in a bubble of its own time until fn returns.
func sail(t *testing.T, r *Registry, d *dock, fn func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		NewLivenessChecker(r, d).Run(ctx)
	}()
	synctest.Wait()
	fn()
	cancel()
	<-ended
}

func TestRunChecksAtOnceAndEveryThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := berth(t, "a", "b")
		d := new(dock)
		d.set(false, "a")
		sail(t, r, d, func() {
			if got := idsOf(r); !slices.Equal(got, []string{"run-b"}) {
				t.Errorf("at the start the runs are %v, want run-b: the container of the other ended before", got)
			}
			d.set(false, "b")
			time.Sleep(29 * time.Second)
			if synctest.Wait(); r.Count() != 1 {
				t.Error("the run is gone before the next check")
			}
			time.Sleep(2 * time.Second)
			if synctest.Wait(); r.Count() != 0 {
				t.Error("the run is there after the next check")
			}
		})
	})
}

func TestAnEngineThatIsDownForAnHourCostsNoRun(t *testing.T) {
	for _, tt := range []struct {
		name string
		down time.Duration
		want []string // the runs, once it answers again
	}{
		{"ninety seconds, as of an upgrade", 90 * time.Second, []string{"run-a"}},
		{"an hour", time.Hour, []string{"run-a"}},
		{"longer than anyone waits for", 3 * time.Hour, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, _ := berth(t, "a", "b")
				d := new(dock)
				d.set(true)
				sail(t, r, d, func() {
					time.Sleep(tt.down)
					d.set(false, "b")
					time.Sleep(checkInterval)
					if synctest.Wait(); !slices.Equal(idsOf(r), tt.want) {
						t.Errorf("the runs are %v, want %v: b ended while the engine was down", idsOf(r), tt.want)
					}
				})
			})
		})
	}
}

func TestAnEventIsFollowedWithinASecond(t *testing.T) {
	const id = "0123456789ab"
	for _, tt := range []struct {
		name   string
		notice notice
		ended  bool
		down   bool
		asked  bool // beyond the check at the start
		want   int  // runs
	}{
		{"the end of the container", notice{id: id + "cdef"}, true, false, true, 0},
		{"the end of a container that the run names", notice{id: "ffff", name: id}, true, false, true, 0},
		{"an engine that begins to tell", notice{}, true, false, true, 0},
		{"a restart: it runs again when it is asked about", notice{id: id}, false, false, true, 1},
		{"an engine that ends, too", notice{id: id}, true, true, true, 1},
		{"the end of another container", notice{id: "ffff", name: "other"}, true, false, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, _ := berth(t, id)
				d := &dock{tell: make(chan notice)}
				sail(t, r, d, func() {
					if tt.ended {
						d.set(tt.down, id)
					}
					for range 5 { // as often as it likes: nothing is removed for failures that come in a swarm
						d.tell <- tt.notice
					}
					time.Sleep(time.Second)
					if synctest.Wait(); r.Count() != tt.want {
						t.Errorf("a second later there are %d runs, want %d", r.Count(), tt.want)
					}
					if asked := d.times(id) > 1; asked != tt.asked {
						t.Errorf("the container was asked about: %v, want %v", asked, tt.asked)
					}
				})
			})
		})
	}
}

func TestEnginesAreHeardWhileARunHasAContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		r := s.Registry()
		d := new(dock)
		sail(t, r, d, func() {
			var token string
			for _, step := range []struct {
				name string
				do   func()
				want int32
			}{
				{"no runs", func() {}, 0},
				{"a run without a container", func() { token = r.Register(NewRunContext("a")) }, 0},
				{"it gets one", func() { r.UpdateContainerID(token, "c") }, 1},
				{"another run", func() { r.Register(NewRunContext("b")) }, 1},
				{"the run is gone", func() { r.Unregister(token) }, 0},
				{"a container over the API", func() {
					token = r.Register(NewRunContext("c"))
					if _, err := s.update(request(token), UpdateRunRequest{ContainerID: "c"}); err != nil {
						t.Error(err)
					}
				}, 1},
			} {
				step.do()
				if synctest.Wait(); d.watching.Load() != step.want {
					t.Errorf("%s: the engines are heard by %d, want %d", step.name, d.watching.Load(), step.want)
				}
			}
		})
	})
}

func TestManyRunsAreCheckedInParallelAndOnceEach(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("c", i))
	}
	r, p, _ := berth(t, names...)
	d := new(dock)
	d.set(false, names[:50]...)
	lc := NewLivenessCheckerWith(LivenessOptions{Registry: r, Checker: d, Persister: p})
	var both sync.WaitGroup
	for range 2 { // two checks at once remove nothing twice
		both.Go(func() { lc.CheckOnce(t.Context()) })
	}
	both.Wait()
	if got := r.Count(); got != 50 {
		t.Errorf("%d runs are left, want 50: %s", got, strings.Join(idsOf(r), " "))
	}
}
