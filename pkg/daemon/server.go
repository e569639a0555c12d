package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Options configure a Server. The zero value of each field is useful.
type Options struct {
	Registry  *Registry       // nil means a new one
	Persister *RunPersister   // nil means that runs are not kept on disk
	Version   string          // of the program, for health
	Log       *logrus.Logger  // nil means no log
	Problems  func() []string // what the user should know, for health; nil means nothing
	// Reload reads configuration, providers and credentials anew and returns
	// when live runs have them; nil means that only the credentials are.
	Reload func(ctx context.Context) error
}

// A Server is the management API. Its methods are safe for concurrent use.
type Server struct {
	opts      Options
	http      *http.Server
	started   time.Time
	proxyPort atomic.Int64
	turns     turns
	hooks     hooks
	own       ownListener // of Start and Stop
	routing   routeParts
}

const (
	apiHeaderTimeout = 10 * time.Second
	apiIdleTimeout   = 2 * time.Minute
	apiDrainLimit    = 10 * time.Second // for requests in flight when Serve ends
)

// New returns a server that waits for [Server.Serve].
func New(opts Options) *Server {
	if opts.Registry == nil {
		opts.Registry = NewRegistry()
	}
	if opts.Log == nil {
		opts.Log = logrus.New()
		opts.Log.SetOutput(io.Discard)
	}
	s := &Server{opts: opts, started: time.Now()}
	s.hooks.persister.Store(opts.Persister)
	s.http = &http.Server{
		Handler:           s.onlyOwner(s.routes()),
		ReadHeaderTimeout: apiHeaderTimeout,
		IdleTimeout:       apiIdleTimeout,
		ConnContext:       withPeer,
	}
	return s
}

// Registry returns the registry that the server serves.
func (s *Server) Registry() *Registry { return s.opts.Registry }

// Serve serves the API on ln, which it closes, until ctx ends; it then lets the
// requests in flight end and returns nil. It can be called once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiDrainLimit)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // cuts what did not end in time; there is no more to do about it
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// routes is the API: a line for each endpoint.
func (s *Server) routes() *http.ServeMux {
	lg := s.opts.Log
	mux := http.NewServeMux()
	mux.Handle("GET /v1/health", handle(lg, http.StatusOK, s.health))
	mux.Handle("GET /v1/runs", handle(lg, http.StatusOK, s.list))
	mux.Handle("POST /v1/runs", handle(lg, http.StatusCreated, s.register))
	mux.Handle("PATCH /v1/runs/{token}", handle(lg, http.StatusNoContent, s.update))
	mux.Handle("DELETE /v1/runs/{token}", handle(lg, http.StatusNoContent, s.unregister))
	s.handleRoutes(mux)
	mux.Handle("POST /v1/reload", handle(lg, http.StatusNoContent, s.reload))
	mux.Handle("POST /v1/shutdown", handle(lg, http.StatusOK, s.shutdown))
	return mux
}

// capabilities is what this daemon can do beyond the first version of the API.
var capabilities = []string{"grants", "reload", "run-state"}

func (s *Server) health(*http.Request, empty) (HealthResponse, error) {
	h := HealthResponse{
		PID:          pid(),
		ProxyPort:    int(s.proxyPort.Load()),
		RoutingPort:  int(s.routing.port.Load()),
		RunCount:     s.opts.Registry.Count(),
		StartedAt:    s.started.Format(time.RFC3339),
		Commit:       BuildCommit,
		Version:      s.opts.Version,
		API:          1,
		Capabilities: capabilities,
		Degraded:     len(s.opts.Registry.Degraded()),
	}
	if s.opts.Problems != nil {
		h.Problems = s.opts.Problems()
	}
	return h, nil
}

func (s *Server) list(*http.Request, empty) ([]RunInfo, error) {
	runs := make([]RunInfo, 0, s.opts.Registry.Count())
	for _, rc := range s.opts.Registry.List() {
		missing := rc.degraded()
		info := RunInfo{
			RunID:        rc.RunID,
			ContainerID:  rc.GetContainerID(),
			RegisteredAt: rc.RegisteredAt.Format(time.RFC3339),
			State:        StateReady,
			Reason:       reasons(missing),
			Grants:       rc.Grants,
		}
		if len(missing) > 0 {
			info.State = StateDegraded
		}
		runs = append(runs, info)
	}
	return runs, nil
}

func (s *Server) reload(r *http.Request, _ empty) (empty, error) {
	if s.opts.Reload != nil {
		return empty{}, s.opts.Reload(r.Context())
	}
	s.opts.Registry.Refresh(r.Context())
	return empty{}, nil
}

// stopping is the answer to a shutdown that has begun.
type stopping struct {
	Status string `json:"status"`
}

func (s *Server) shutdown(*http.Request, empty) (stopping, error) {
	s.hooks.call(&s.hooks.shutdown)
	return stopping{"shutting down"}, nil
}
