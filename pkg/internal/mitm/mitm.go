// Package mitm ends the TLS inside CONNECT tunnels and hands the requests that
// come out, of HTTP/1.1 and of HTTP/2, to an ordinary http.Handler. It knows
// nothing of runs, rules or upstreams.
package mitm

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/moatd/moatd/pkg/internal/drain"
	"github.com/moatd/moatd/pkg/internal/framing"
)

const (
	// headerTimeout bounds the TLS handshake and the head of one request, so
	// that a client that sends byte by byte holds little for not long.
	headerTimeout = 30 * time.Second
	// idleTimeout ends a tunnel without requests. Clients keep a connection
	// for 90 s (Go) to 118 s (curl); ours must not be the first to let go.
	idleTimeout = 5 * time.Minute
	// maxHeader is the limit of one request head, in bytes: answered with 431.
	maxHeader = 1 << 20
)

// Options configure a Server.
type Options struct {
	// Certificate returns the certificate for a canonical name; required.
	Certificate func(name string) (*tls.Certificate, error)
	// Handler gets the requests from all tunnels; required. [From] tells
	// which tunnel one came through.
	Handler http.Handler
	// ErrorLog gets what goes wrong on a connection; nil means nowhere.
	ErrorLog *log.Logger
}

// A Server serves all tunnels of a daemon. It is safe for concurrent use.
type Server struct {
	http  *http.Server
	queue *drain.Queue
	tls   *tls.Config
	idle  idlers

	shaking drain.Set[*tls.Conn] // whose handshake is under way
}

// New returns a server that waits for [Server.Serve].
func New(opts Options) *Server {
	s := &Server{
		idle:  idlers{states: make(map[net.Conn]state)},
		queue: drain.NewQueue("tunnels"),
		tls: &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				return opts.Certificate(leafName(hello))
			},
		},
	}
	errorLog := opts.ErrorLog
	if errorLog == nil {
		errorLog = log.New(io.Discard, "", 0)
	}
	s.http = &http.Server{
		Handler:           framing.Count(withTLS(opts.Handler)),
		TLSConfig:         s.tls, // its NextProtos switch HTTP/2 on
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          errorLog,
		ConnContext:       withTunnel,
		ConnState:         s.idle.note,

		DisableGeneralOptionsHandler: true, // OPTIONS * is for the upstream
	}
	return s
}

// Serve serves the tunnels until [Server.Shutdown]; it returns nil then.
func (s *Server) Serve() error {
	err := s.http.Serve(s.queue)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) { // Shutdown closes the queue first
		return nil
	}
	return err
}

// Take serves the tunnel t on conn and closes conn when that is over. early is
// what the client sent ahead of our answer to its CONNECT. Take does not wait
// for the tunnel to end; after Shutdown it closes conn at once.
func (s *Server) Take(conn net.Conn, t *Tunnel, early io.Reader) {
	go s.open(tls.Server(&tunnelConn{Conn: conn, tunnel: t, early: early}, s.tls))
}

// open shakes hands and has the tunnel served. The requests of HTTP/1 are looked
// at on their way into net/http; it must have the very *tls.Conn of the others. A
// handshake that failed fails there once more, and is reported.
func (s *Server) open(c *tls.Conn) {
	s.shaking.Add(c)
	defer s.shaking.Remove(c)
	if s.queue.Closed() {
		_ = c.Close() // too late for it; the client sees the end of the connection
		return
	}
	_ = c.SetDeadline(time.Now().Add(s.http.ReadHeaderTimeout)) // where it fails, so does the handshake
	err := c.Handshake()                                        //nolint:noctx // the deadline ends it, and Shutdown
	_ = c.SetDeadline(time.Time{})
	if err != nil || c.ConnectionState().NegotiatedProtocol == "h2" {
		s.queue.Put(c)
		return
	}
	s.queue.Put(framing.NewConn(c))
}

// CloseIdle closes the tunnels without a request, and lets each other one end
// with the answer that it is waiting for. Tunnels are still taken, for one
// request each. One whose answer has only just gone out may be overlooked, so
// call it again and again.
func (s *Server) CloseIdle() {
	s.http.SetKeepAlivesEnabled(false)
	s.idle.close()
}

// Shutdown takes no more tunnels, closes those that are idle or have not shaken
// hands, and waits for the requests of the others, though not for upgraded
// connections, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	_ = s.queue.Close() // never fails
	for _, c := range s.shaking.All() {
		_ = c.Close() // nobody waits for it
	}
	return s.http.Shutdown(ctx)
}
