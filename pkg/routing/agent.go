package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Routes are what an agent is registered with.
type Routes struct {
	// Services are addresses, host:port, by the name of the service; there is
	// at least one. Names are labels of a host name, in any case.
	Services map[string]string
	// RunID is the run that the routes go with; "" for none.
	RunID string
}

// An Agent is an agent that has routes. It is immutable.
type Agent struct {
	Name    string // one label, in lower case
	RunID   string // the run that its routes go with, "" for none
	Default string // the service that agent.localhost is

	services map[string]string // address by name
}

// preferred are the services that agent.localhost is, where an agent has several.
var preferred = [...]string{"web", "app", "http", "default"}

// newAgent checks and canonicalises what is registered.
func newAgent(name string, r Routes) (*Agent, error) {
	name, err := label("agent", name)
	if err != nil {
		return nil, err
	}
	if len(r.Services) == 0 {
		return nil, fmt.Errorf("%w: agent %s has no services", ErrInvalid, name)
	}
	a := &Agent{Name: name, RunID: r.RunID, services: make(map[string]string, len(r.Services))}
	for _, given := range slices.Sorted(maps.Keys(r.Services)) {
		service, err := label("service", given)
		if err != nil {
			return nil, err
		}
		if _, twice := a.services[service]; twice {
			return nil, fmt.Errorf("%w: service %s stands there twice, in different cases", ErrInvalid, service)
		}
		if a.services[service], err = address(service, r.Services[given]); err != nil {
			return nil, err
		}
	}
	a.Default = defaultOf(a.services)
	return a, nil
}

// defaultOf returns the default among services, of which there is at least one.
func defaultOf(services map[string]string) string {
	for _, name := range preferred {
		if _, ok := services[name]; ok {
			return name
		}
	}
	return slices.Min(slices.Collect(maps.Keys(services)))
}

// Services returns the names of the services, sorted.
func (a *Agent) Services() []string { return slices.Sorted(maps.Keys(a.services)) }

// Addr returns the address of a service, by its name in lower case.
func (a *Agent) Addr(service string) (addr string, ok bool) {
	addr, ok = a.services[service]
	return addr, ok
}

// Routes returns what the agent is registered with; the caller owns it.
func (a *Agent) Routes() Routes { return Routes{Services: maps.Clone(a.services), RunID: a.RunID} }

// of reports whether the routes of a go with the run: they were registered for
// it, or for no run and under its id as the agent's name.
func (a *Agent) of(runID string) bool {
	if a.RunID != "" {
		return a.RunID == runID
	}
	name, err := label("run", runID)
	return err == nil && a.Name == name
}

// recordVersion is the version of a record; an older daemon's has a lower one.
const recordVersion = 1

// record is an agent on disk.
type record struct {
	V        int               `json:"v"`
	Services map[string]string `json:"services"`
	RunID    string            `json:"run_id,omitempty"`
}

func (a *Agent) encode() ([]byte, error) {
	val, err := json.Marshal(record{recordVersion, a.services, a.RunID})
	if err != nil {
		return nil, fmt.Errorf("encode the routes of %s: %v", a.Name, err)
	}
	return val, nil
}

func decode(name string, val []byte) (*Agent, error) {
	var rec record
	if err := json.Unmarshal(val, &rec); err != nil {
		return nil, errors.New("the record is no JSON of routes")
	}
	if rec.V > recordVersion {
		return nil, fmt.Errorf("the record has version %d, written by a newer moatd", rec.V)
	}
	return newAgent(name, Routes{rec.Services, rec.RunID})
}
