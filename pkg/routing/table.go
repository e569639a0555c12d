package routing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/moatd/moatd/pkg/internal/store"
)

// ErrTaken reports an agent whose routes go with another run.
var ErrTaken = errors.New("agent taken")

// A Store keeps a record for each agent. What a method that returns nil has done
// survives a power cut. It must be safe for concurrent use.
type Store interface {
	PutRoutes(agent string, val []byte) error
	DeleteRoutes(agent string) error // also of an agent that has none
	Routes() ([]store.Record, error)
}

// A RouteTable has the routes of all agents, in memory and on disk. It is safe
// for concurrent use; lookups take no lock.
type RouteTable struct {
	disk   Store
	unread []error // of the records that cannot be read
	agents atomic.Pointer[map[string]*Agent]
	turns  turns
}

// NewRouteTable returns the table that is kept in the directory dir, in a
// database of its own, which is open only while it is used; it does not exist
// before the first [RouteTable.Add]. A routes.json of an older program in dir is
// taken over.
func NewRouteTable(dir string) (*RouteTable, error) {
	t, err := Open(newFile(dir))
	if err != nil {
		return nil, err
	}
	return t, t.Import(dir)
}

// Open returns the table that is kept in st. A record that cannot be read is
// left as it is and reported by [RouteTable.Problems]. The error is that of st.
func Open(st Store) (*RouteTable, error) {
	recs, err := st.Routes()
	if err != nil {
		return nil, err
	}
	t := &RouteTable{disk: st, turns: newTurns()}
	agents := make(map[string]*Agent, len(recs))
	for _, rec := range recs {
		a, err := decode(rec.ID, rec.Val)
		if err != nil {
			t.unread = append(t.unread, fmt.Errorf("routes of %.100q: %w", rec.ID, err))
			continue
		}
		agents[a.Name] = a
	}
	t.agents.Store(&agents)
	return t, nil
}

// Problems are about the records that could not be read when the table was opened.
func (t *RouteTable) Problems() []error { return slices.Clone(t.unread) }

// Add makes services, addresses by name, the routes of agent, in place of those
// that it has. They go with no run. It is [RouteTable.Put] for the rest.
func (t *RouteTable) Add(agent string, services map[string]string) error {
	return t.Put(agent, Routes{Services: services})
}

// Put makes r the routes of agent, in place of those that it has. When it
// returns nil, they are on disk and found; when it does not, nothing has
// changed. The error is [ErrInvalid] for what makes no routes, and [ErrTaken] if
// the agent has routes that go with another run than r's.
func (t *RouteTable) Put(agent string, r Routes) error {
	a, err := newAgent(agent, r)
	if err != nil {
		return err
	}
	val, err := a.encode()
	if err != nil {
		return err
	}
	defer t.turns.take(a.Name)()
	if have, ok := t.Agent(a.Name); ok && have.RunID != "" && r.RunID != "" && have.RunID != r.RunID {
		return fmt.Errorf("%w: %s has routes of run %s; choose another name", ErrTaken, a.Name, have.RunID)
	}
	if err := t.disk.PutRoutes(a.Name, val); err != nil {
		return err
	}
	t.change(func(agents map[string]*Agent) { agents[a.Name] = a })
	return nil
}

// Remove removes the routes of agent, if it has any. When it returns nil, that
// is on disk; when it does not, nothing has changed.
func (t *RouteTable) Remove(agent string) error {
	name := strings.ToLower(agent)
	defer t.turns.take(name)()
	if _, ok := t.Agent(name); !ok && len(t.unread) == 0 { // its record may be one that was not read
		return nil
	}
	if err := t.disk.DeleteRoutes(name); err != nil {
		return err
	}
	t.forget(name)
	return nil
}

// change replaces the snapshot that lookups read by a changed copy.
func (t *RouteTable) change(fn func(agents map[string]*Agent)) {
	for {
		old := t.agents.Load()
		next := maps.Clone(*old)
		fn(next)
		if t.agents.CompareAndSwap(old, &next) {
			return
		}
	}
}

func (t *RouteTable) forget(name string) {
	t.change(func(agents map[string]*Agent) { delete(agents, name) })
}

// Lookup returns the address, host:port, of a service of agent. Names are taken
// in any case.
func (t *RouteTable) Lookup(agent, service string) (addr string, ok bool) {
	a, ok := t.Agent(agent)
	if !ok {
		return "", false
	}
	return a.Addr(strings.ToLower(service))
}

// LookupDefault returns the address of the default service of agent; see the
// package's comment for which that is.
func (t *RouteTable) LookupDefault(agent string) (addr string, ok bool) {
	a, ok := t.Agent(agent)
	if !ok {
		return "", false
	}
	return a.Addr(a.Default)
}

// Agent returns what is registered of an agent.
func (t *RouteTable) Agent(name string) (a *Agent, ok bool) {
	a, ok = (*t.agents.Load())[strings.ToLower(name)]
	return a, ok
}

// Agents returns the names of the agents that have routes, sorted.
func (t *RouteTable) Agents() []string { return slices.Sorted(maps.Keys(*t.agents.Load())) }

// All returns the agents of one moment, by name.
func (t *RouteTable) All() []*Agent {
	agents := *t.agents.Load()
	all := make([]*Agent, 0, len(agents))
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		all = append(all, agents[name])
	}
	return all
}
