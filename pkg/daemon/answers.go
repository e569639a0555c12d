package daemon

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// capabilities is what this daemon can do beyond the first version of the API.
var capabilities = []string{"aws-role", "credentials", "grants", "logs", "mcp", "rekey", "reload", "run-state"}

func (s *Server) health(*http.Request, empty) (HealthResponse, error) {
	h := HealthResponse{
		PID:          pid(),
		ProxyPort:    int(s.proxyPort.Load()),
		RoutingPort:  int(s.routing.port.Load()),
		RunCount:     s.opts.Registry.Count(),
		StartedAt:    s.started.Format(time.RFC3339),
		Commit:       BuildCommit,
		Version:      s.opts.Version,
		API:          APIVersion,
		APIMin:       APIMin,
		Capabilities: capabilities,
		Degraded:     len(s.opts.Registry.Degraded()),
	}
	if s.opts.Key != nil {
		key := s.opts.Key()
		h.Key = &key
	}
	if s.opts.Problems != nil {
		h.Problems = s.opts.Problems()
	}
	if s.opts.Vitals != nil {
		s.opts.Vitals(&h)
	}
	return h, nil
}

func (s *Server) list(*http.Request, empty) ([]RunInfo, error) {
	runs := make([]RunInfo, 0, s.opts.Registry.Count())
	poor := make(map[string]string) // the states of the credentials that are not fresh
	for _, c := range s.known() {
		if c.State != stateFresh {
			poor[c.Grant] = c.State
		}
	}
	for _, rc := range s.opts.Registry.List() {
		missing := rc.degraded()
		info := RunInfo{
			RunID:        rc.RunID,
			ContainerID:  rc.GetContainerID(),
			RegisteredAt: rc.RegisteredAt.Format(time.RFC3339),
			State:        StateReady,
			Reason:       reasons(missing),
			Grants:       rc.Grants,
			Credentials:  among(poor, rc.wants()),
		}
		if len(missing) > 0 {
			info.State = StateDegraded
		}
		runs = append(runs, info)
	}
	return runs, nil
}

// stateFresh is the state of a credential of which there is nothing to tell.
const stateFresh = "fresh"

// among returns what of m the names have, nil for nothing.
func among(m map[string]string, names []string) (some map[string]string) {
	for _, name := range names {
		if v, ok := m[name]; ok {
			if some == nil {
				some = make(map[string]string)
			}
			some[name] = v
		}
	}
	return some
}

func (s *Server) credentials(*http.Request, empty) ([]CredentialInfo, error) { return s.known(), nil }

// known returns what is known of the credentials, never nil.
func (s *Server) known() []CredentialInfo {
	if s.opts.Credentials == nil {
		return []CredentialInfo{}
	}
	return s.opts.Credentials()
}

func (s *Server) reload(r *http.Request, _ empty) (empty, error) {
	ctx := context.WithoutCancel(r.Context()) // it is of use to the runs, whether or not the client waits
	if s.opts.Reload != nil {
		return empty{}, s.opts.Reload(ctx)
	}
	s.opts.Registry.Refresh(ctx)
	return empty{}, nil
}

func (s *Server) rekey(r *http.Request, req RekeyRequest) (RekeyResponse, error) {
	if s.opts.Rekey == nil {
		return RekeyResponse{}, fmt.Errorf("%w: this daemon seals nothing", credential.ErrKeyUnavailable)
	}
	return s.opts.Rekey(context.WithoutCancel(r.Context()), req.To) // once begun it is better ended, whether or not the client waits
}

// stopping is the answer to a shutdown that has begun.
type stopping struct {
	Status string `json:"status"`
}

func (s *Server) shutdown(*http.Request, empty) (stopping, error) {
	s.hooks.call(&s.hooks.shutdown)
	return stopping{"shutting down"}, nil
}
