package routing

import (
	"errors"
	"hash/maphash"
	"sync"
)

// RemoveRun removes the routes that go with a run: those registered for it, and
// those registered for no run under its id as the agent's name. It returns the
// names of the agents. They are not served any more when it returns, whatever
// the error, which says what is still on disk: [RouteTable.Keep] finds that.
func (t *RouteTable) RemoveRun(runID string) (agents []string, err error) {
	return t.removeAll(func(a *Agent) bool { return a.of(runID) })
}

// Keep removes the routes that go with a run that does not live, as after a
// start. Routes of no run stay. It returns the names of the agents, and an error
// as [RouteTable.RemoveRun] does.
func (t *RouteTable) Keep(lives func(runID string) bool) (agents []string, err error) {
	return t.removeAll(func(a *Agent) bool { return a.RunID != "" && !lives(a.RunID) })
}

func (t *RouteTable) removeAll(which func(*Agent) bool) (removed []string, err error) {
	for _, a := range t.All() {
		if !which(a) {
			continue
		}
		gone, failed := t.removeIf(a.Name, which)
		if gone {
			removed = append(removed, a.Name)
		}
		err = errors.Join(err, failed)
	}
	return removed, err
}

// removeIf removes an agent that is still such a one when its turn comes.
func (t *RouteTable) removeIf(name string, which func(*Agent) bool) (gone bool, err error) {
	defer t.turns.take(name)()
	if a, ok := t.Agent(name); !ok || !which(a) {
		return false, nil
	}
	t.forget(name)
	return true, t.disk.DeleteRoutes(name)
}

// turns orders the changes of one agent: memory and disk must see them in the
// same order. Agents share locks, few enough to be cheap and enough that changes
// of different agents rarely wait for each other, and share a commit.
type turns struct {
	seed  maphash.Seed
	locks *[16]sync.Mutex
}

func newTurns() turns { return turns{maphash.MakeSeed(), new([16]sync.Mutex)} }

// take waits for the turn of an agent and returns what ends it.
func (t turns) take(agent string) (done func()) {
	mu := &t.locks[maphash.String(t.seed, agent)%uint64(len(t.locks))]
	mu.Lock()
	return mu.Unlock
}
