package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/sirupsen/logrus"

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
	// Log gets a line for each request; nil means none.
	Log *logrus.Logger
}

// A Proxy serves the requests of all runs. It is safe for concurrent use.
type Proxy struct {
	opts    Options
	plain   *http.Server // CONNECT, and requests with an absolute URL
	tunnels *mitm.Server // what comes out of CONNECT
	forward *httputil.ReverseProxy
	conns   connSet
}

const (
	headerTimeout = 30 * time.Second // for the head of one request
	idleTimeout   = 5 * time.Minute  // for a connection without requests
	maxHeader     = 1 << 20          // bytes of one head; more is answered with 431
)

// New returns a proxy that waits for [Proxy.Serve].
func New(opts Options) (*Proxy, error) {
	if opts.Runs == nil || opts.Certificate == nil {
		return nil, errors.New("proxy: Options need Runs and Certificate")
	}
	if opts.Log == nil {
		opts.Log = logrus.New()
		opts.Log.SetOutput(io.Discard)
	}
	p := &Proxy{opts: opts, forward: newForwarder(opts.UpstreamRoots)}
	errorLog := connectionLog(opts.Log)
	p.plain = &http.Server{
		Handler:           http.HandlerFunc(p.servePlain),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          errorLog,
	}
	p.tunnels = mitm.New(mitm.Options{
		Certificate: opts.Certificate,
		Handler:     http.HandlerFunc(p.serveTunnelled),
		ErrorLog:    errorLog,
	})
	return p, nil
}

// servePlain serves what comes straight to the proxy's port.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		p.connect(w, r)
		return
	}
	p.serve(w, r, nil, tokenOf(r))
}

// serveTunnelled serves what comes out of a tunnel.
func (p *Proxy) serveTunnelled(w http.ResponseWriter, r *http.Request) {
	t := mitm.From(r.Context())
	p.serve(w, r, t, t.Token)
}

// connect opens a tunnel. A target that the run may not reach gets one too,
// for the refusal to be readable inside; nothing is dialled for it.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	token := tokenOf(r)
	run, ok := p.opts.Runs(token)
	if !ok {
		challenge(w, r, token != "")
		return
	}
	target, err := connectTarget(r)
	if err != nil {
		malformed(newID(), err).write(w, r)
		return
	}
	if p.opts.RefuseAtConnect {
		if v := run.Decide(Head{Scheme: "https", Target: target}); v.Status != 0 {
			refusal{id: newID(), verdict: v}.writePlain(w, r)
			return
		}
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		malformed(newID(), errors.New("CONNECT needs HTTP/1.1")).write(w, r)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close() // the client is gone
		return
	}
	early := io.LimitReader(buffered.Reader, int64(buffered.Reader.Buffered()))
	p.tunnels.Take(conn, &mitm.Tunnel{Target: target, Token: token}, early)
}

// serve answers one request, whichever way it came: t is its tunnel, nil for
// none.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, t *mitm.Tunnel, token string) {
	run, ok := p.opts.Runs(token)
	if !ok {
		challenge(w, r, token != "")
		return
	}
	ex := &exchange{id: newID(), run: run, method: r.Method, start: time.Now()}
	defer ex.log(p.opts.Log)
	head, err := headOf(r, t)
	if err != nil {
		ex.refuse(malformed(ex.id, err)).write(w, r)
		return
	}
	head.Placeholder = run.stray(r, head.Target)
	ex.head, ex.verdict = head, run.Decide(head)
	switch {
	case ex.verdict.Status == 0:
		p.forward.ServeHTTP(fullDuplex(w, r), r.WithContext(withExchange(r.Context(), ex)))
	case t == nil:
		ex.refuse(refusal{id: ex.id, verdict: ex.verdict}).writePlain(w, r)
	default:
		ex.refuse(refusal{id: ex.id, verdict: ex.verdict}).write(w, r)
	}
}

// fullDuplex lets an answer begin while the request body is still on its way,
// which HTTP/1 servers do not do by themselves. It returns w.
func fullDuplex(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.ProtoMajor == 1 {
		_ = http.NewResponseController(w).EnableFullDuplex() // not supported only by a w of tests
	}
	return w
}
