package routing

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/drain"
)

// Options configure a Router.
type Options struct {
	// Table has the routes; required.
	Table *RouteTable
	// Certificate returns a certificate for localhost, a name below it or a
	// loopback address; nil means that TLS is not served.
	Certificate func(name string) (*tls.Certificate, error)
	// DrainLimit is how long requests may last once Serve is to end; 0 cuts
	// them at once.
	DrainLimit time.Duration
	// Control is called for each socket to a service before it connects, as that
	// of [net.Dialer]; nil means that nothing is.
	Control func(network, address string, conn syscall.RawConn) error
	// Log gets what goes wrong on connections; nil means no log.
	Log *logrus.Logger
}

// A Router serves the routes of a table, HTTP and TLS on one port. It is safe
// for concurrent use.
type Router struct {
	opts      Options
	transport *http.Transport
	proxy     *httputil.ReverseProxy
	server    *http.Server
	tls       *tls.Config  // nil if TLS is not served
	queue     *drain.Queue // connections of which it is known whether they speak TLS
	conns     drain.Conns
	clients   drain.Set[*client]   // those of conns, with what they are doing
	running   drain.Set[*activity] // requests, and connections that have not spoken yet
	cut       atomic.Int64         // connections cut at the end of a drain
}

// An activity is something under way; it has a size, so that each has its own
// address.
type activity struct{ _ byte }

const (
	helloTimeout  = 30 * time.Second // for the first byte; browsers open connections ahead
	headerTimeout = 30 * time.Second // for the head of one request, and the TLS handshake
	idleTimeout   = 2 * time.Minute  // for a connection without requests
	maxHeader     = 1 << 20          // bytes of one head; more is answered with 431
)

// New returns a router that waits for [Router.Serve].
func New(opts Options) (*Router, error) {
	if opts.Table == nil {
		return nil, errors.New("routing: Options need Table")
	}
	if opts.Log == nil {
		opts.Log = logrus.New()
		opts.Log.SetOutput(io.Discard)
	}
	rt := &Router{opts: opts, transport: newTransport(opts), queue: drain.NewQueue("routing")}
	rt.proxy = rt.newProxy()
	rt.server = &http.Server{
		Handler:           rt,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         note,
		ErrorLog:          connectionLog(opts.Log),
	}
	if opts.Certificate != nil {
		rt.tls = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"h2", "http/1.1"},
			GetCertificate: rt.certificate,
		}
		rt.server.TLSConfig = rt.tls // its NextProtos switch HTTP/2 on
	}
	return rt, nil
}

// ServeHTTP implements [http.Handler]. It decides by the Host of the request.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := new(activity)
	rt.running.Add(a)
	defer rt.running.Remove(a)
	v := decide(rt.opts.Table, r)
	if v.page.Status != 0 {
		answer(w, r, v.page)
		return
	}
	rt.forward(w, r, v.passage)
}

func (rt *Router) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	local, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
	if err != nil {
		local = "localhost" // a Unix socket
	}
	name, err := certificateName(hello.ServerName, local)
	if err != nil {
		return nil, err
	}
	return rt.opts.Certificate(name)
}

// Open returns how many connections of clients are open.
func (rt *Router) Open() int { return rt.conns.Len() }

// Cut returns how many connections Serve has cut at its end, because they were
// open for longer than DrainLimit.
func (rt *Router) Cut() int { return int(rt.cut.Load()) }
