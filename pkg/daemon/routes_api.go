package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/routing"
)

// Errors about routes, for [errors.Is]; the client returns them too.
var (
	// ErrRouteTaken reports an agent whose routes go with another run, which
	// lives.
	ErrRouteTaken = errors.New("agent taken")
	// ErrNoRouting reports a daemon that keeps no routes.
	ErrNoRouting = errors.New("this daemon keeps no routes")
)

// RouteRegistration is the body of POST /v1/routes/{agent}.
type RouteRegistration struct {
	Services map[string]string `json:"services"` // host:port by the name of the service; at least one
	// RunID is a run that is registered; the routes go when it does. With ""
	// they go with the run that has the agent's name as its id, if there is one.
	RunID string `json:"run_id,omitempty"`
}

// RouteInfo is an element of the answer to GET /v1/routes.
type RouteInfo struct {
	Agent    string            `json:"agent"`
	Services map[string]string `json:"services"` // host:port by the name of the service
	Default  string            `json:"default"`  // the service that agent.localhost is
	RunID    string            `json:"run_id,omitempty"`
}

// routeParts are what the API of routes works on; each is one atomic store.
type routeParts struct {
	table atomic.Pointer[routing.RouteTable] // nil: the daemon keeps no routes
	port  atomic.Int64                       // 0: it serves none
}

// SetRoutes sets the table that the calls about routes work on; nil for none.
func (s *Server) SetRoutes(rt *routing.RouteTable) { s.routing.table.Store(rt) }

// SetRoutingPort sets the port of the routes that health reports; 0 for none.
func (s *Server) SetRoutingPort(port int) { s.routing.port.Store(int64(port)) }

// handleRoutes adds the endpoints of routes to the API.
func (s *Server) handleRoutes(mux *http.ServeMux) {
	lg := s.opts.Log
	mux.Handle("GET /v1/routes", handle(lg, http.StatusOK, s.listRoutes))
	mux.Handle("POST /v1/routes/{agent}", handle(lg, http.StatusNoContent, s.registerRoutes))
	mux.Handle("DELETE /v1/routes/{agent}", handle(lg, http.StatusNoContent, s.unregisterRoutes))
}

func (s *Server) listRoutes(*http.Request, empty) ([]RouteInfo, error) {
	list := []RouteInfo{}
	if t := s.routing.table.Load(); t != nil {
		for _, a := range t.All() {
			r := a.Routes()
			list = append(list, RouteInfo{Agent: a.Name, Services: r.Services, Default: a.Default, RunID: r.RunID})
		}
	}
	return list, nil
}

func (s *Server) registerRoutes(r *http.Request, req RouteRegistration) (empty, error) {
	t := s.routing.table.Load()
	if t == nil {
		return empty{}, ErrNoRouting
	}
	agent := r.PathValue("agent")
	if req.RunID == "" && s.opts.Registry.Has(agent) {
		req.RunID = agent
	}
	if err := s.putRoutes(t, agent, req); err != nil {
		return empty{}, err
	}
	s.opts.Log.WithFields(logrus.Fields{"agent": agent, "services": len(req.Services), "run_id": req.RunID}).Info("routes registered")
	return empty{}, nil
}

// putRoutes stores routes. Whether their run is there is looked at before and
// after: a run that goes in between either finds the routes or is missed here.
func (s *Server) putRoutes(t *routing.RouteTable, agent string, req RouteRegistration) error {
	gone := func(runID string) bool { return runID != "" && !s.opts.Registry.Has(runID) }
	missing := fmt.Errorf("%w: routes go with a run that is registered, and %q is not", ErrRunNotFound, req.RunID)
	if gone(req.RunID) {
		return missing
	}
	if a, ok := t.Agent(agent); ok && gone(a.RunID) {
		s.dropRoutes(a.RunID)
	}
	err := t.Put(agent, routing.Routes{Services: req.Services, RunID: req.RunID})
	switch {
	case errors.Is(err, routing.ErrInvalid):
		return fmt.Errorf("%w: %v", ErrBadRequest, err)
	case errors.Is(err, routing.ErrTaken):
		return fmt.Errorf("%w: %v", ErrRouteTaken, err)
	case err == nil && gone(req.RunID):
		s.dropRoutes(req.RunID)
		return missing
	}
	return err
}

func (s *Server) unregisterRoutes(r *http.Request, _ empty) (empty, error) {
	t := s.routing.table.Load()
	if t == nil {
		return empty{}, ErrNoRouting
	}
	return empty{}, t.Remove(r.PathValue("agent"))
}

// dropRoutes removes the routes of a run that is gone. What could not be taken
// off the disk is not served either, and goes at the next start.
func (s *Server) dropRoutes(runID string) {
	t := s.routing.table.Load()
	if t == nil {
		return
	}
	if _, err := t.RemoveRun(runID); err != nil {
		s.opts.Log.WithError(err).WithField("run_id", runID).Error("routes of a run that is gone are still on disk")
	}
}

// Has reports whether a run with this id is registered.
func (r *Registry) Has(runID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, known := r.ids[runID]
	_, live := r.live.Load(d)
	return known && live
}
