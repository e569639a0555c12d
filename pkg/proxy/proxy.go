package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/drain"
	"github.com/moatd/moatd/pkg/internal/framing"
	"github.com/moatd/moatd/pkg/internal/mitm"
)

// Options configure a Proxy.
type Options struct {
	// Runs returns the snapshot of the run with this token; required. It is
	// asked for each request, also for those in open tunnels, and must compare
	// tokens in constant time.
	Runs func(token string) (*RunContextData, bool)
	// Certificate returns a certificate for a canonical host name; required.
	Certificate func(name string) (*tls.Certificate, error)
	// UpstreamRoots verify upstreams; nil means the roots of the system.
	UpstreamRoots *x509.CertPool
	// RefuseAtConnect answers a CONNECT that is not allowed with a bare 407,
	// instead of letting each request inside get a readable 403.
	RefuseAtConnect bool
	// DrainLimit is how long requests may last once Serve is to end; 0 cuts
	// them at once.
	DrainLimit time.Duration
	// Network is what is between the proxy and the upstreams; the zero value means
	// the network of this machine.
	Network Network
	// Control is called for each socket to an upstream before it connects, as that
	// of [net.Dialer]; nil means that nothing is.
	Control func(network, address string, conn syscall.RawConn) error
	// Renewals renew the credentials of runs; nil means that nobody does.
	Renewals Renewals
	// Log gets a line for each request; nil means none.
	Log *logrus.Logger
}

// Renewals know when a credential that the snapshots hold is to be replaced. They
// must be safe for concurrent use; Fresh and Used are called for each request that
// carries a credential.
type Renewals interface {
	// Fresh waits while the credential of one of the grants has run out and is
	// being renewed, and reports whether it has waited: the snapshot is old then.
	Fresh(ctx context.Context, grants []string) (waited bool)
	// Renewable reports whether one of the credentials is one that is renewed.
	Renewable(grants []string) bool
	// Rejected says that an upstream has answered 401 to the credentials of a
	// snapshot that was looked up after sent. It has them renewed, unless they were
	// since, and reports whether the snapshot is old.
	Rejected(ctx context.Context, grants []string, sent time.Time) (newer bool)
	// Used notes the status of an answer to a request with the credentials.
	Used(grants []string, status int)
}

// A Proxy serves the requests of all runs. It is safe for concurrent use.
type Proxy struct {
	opts    Options
	plain   *http.Server // CONNECT, and requests with an absolute URL
	tunnels *mitm.Server // what comes out of CONNECT
	forward *httputil.ReverseProxy

	upstream  pools
	conns     drain.Conns
	exchanges drain.Set[*exchange] // the requests under way
	cut       atomic.Int64         // connections cut at the end of a drain
}

const (
	headerTimeout = 30 * time.Second // for the head of one request
	idleTimeout   = 5 * time.Minute  // for a connection without requests
	maxHeader     = 1 << 20          // bytes of one head; more is answered with 431
)

// New returns a proxy that waits for [Proxy.Serve].
func New(opts Options) (*Proxy, error) { return newProxy(opts, opts.Network.over(systemNetwork(opts))) }

func newProxy(opts Options, n network) (*Proxy, error) {
	if opts.Runs == nil || opts.Certificate == nil {
		return nil, errors.New("proxy: Options need Runs and Certificate")
	}
	if opts.Log == nil {
		opts.Log = logrus.New()
		opts.Log.SetOutput(io.Discard)
	}
	if opts.Renewals == nil {
		opts.Renewals = noRenewals{}
	}
	p := &Proxy{opts: opts, upstream: newPools(n, opts.UpstreamRoots)}
	p.forward = newForwarder(p.upstream, p.answered)
	errorLog := connectionLog(opts.Log)
	p.plain = &http.Server{
		Handler:           framing.Count(http.HandlerFunc(p.servePlain)),
		ConnContext:       framing.Context,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          errorLog,

		DisableGeneralOptionsHandler: true, // OPTIONS * is for us to judge
	}
	p.tunnels = mitm.New(mitm.Options{
		Certificate: opts.Certificate,
		Handler:     http.HandlerFunc(p.serveTunnelled),
		ErrorLog:    errorLog,
	})
	return p, nil
}
