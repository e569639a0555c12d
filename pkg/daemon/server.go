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

	"github.com/moatd/moatd/pkg/internal/drain"
	"github.com/moatd/moatd/pkg/internal/logging"
)

// Options configure a Server. The zero value of each field is useful.
type Options struct {
	Registry  *Registry       // nil means a new one
	Persister *RunPersister   // nil means that runs are not kept on disk
	Version   string          // of the program, for health
	Log       *logrus.Logger  // nil means no log
	Problems  func() []string // what the user should know, for health; nil means nothing
	// Ring has the last entries of Log, for clients; nil means that they get none.
	Ring *logging.Ring
	// Vitals adds to the health what the program knows of its own process; nil
	// means nothing.
	Vitals func(*HealthResponse)
	// Reload reads configuration, providers and credentials anew and returns
	// when live runs have them; nil means that only the credentials are.
	Reload func(ctx context.Context) error
	// Key says where the key of the credentials is; nil means that there is none.
	Key func() KeyInfo
	// Credentials says how the credentials of the live runs are; nil means that
	// nobody knows.
	Credentials func() []CredentialInfo
	// Rekey moves all that is sealed to a new key in the place that to names; nil
	// means that nothing is sealed here.
	Rekey func(ctx context.Context, to string) (RekeyResponse, error)
}

// A Server is the management API. Its methods are safe for concurrent use.
type Server struct {
	opts      Options
	http      *http.Server
	started   time.Time
	proxyPort atomic.Int64
	hooks     hooks
	conns     drain.Conns
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
		Handler:           s.onlyOwner(s.speaking(APIMin, s.routes())),
		ReadHeaderTimeout: apiHeaderTimeout,
		IdleTimeout:       apiIdleTimeout,
		ConnContext:       withPeer,
		ErrorLog:          logging.Std(opts.Log, logrus.WarnLevel),
	}
	return s
}

// Registry returns the registry that the server serves.
func (s *Server) Registry() *Registry { return s.opts.Registry }

// Serve serves the API on ln, which it closes, until ctx ends; it then lets the
// requests in flight end and returns nil. It can be called once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(s.conns.Track(ln)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = ln.Close() // what it says comes from Accept too
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiDrainLimit)
	defer cancel()
	s.conns.Arrive(ctx, func() { s.http.SetKeepAlivesEnabled(false) })
	_ = s.http.Close() // cuts what did not end in time; there is no more to do about it
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
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
	mux.Handle("GET /v1/credentials", handle(lg, http.StatusOK, s.credentials))
	mux.Handle("GET /v1/logs", handle(lg, http.StatusOK, s.logs))
	mux.Handle("POST /v1/reload", handle(lg, http.StatusNoContent, s.reload))
	mux.Handle("POST /v1/rekey", handle(lg, http.StatusOK, s.rekey))
	mux.Handle("POST /v1/shutdown", handle(lg, http.StatusOK, s.shutdown))
	return mux
}
