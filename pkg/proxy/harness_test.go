package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/pki"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// A world is a proxy on a real socket, the Internet that it sees, and a log.
type world struct {
	testing.TB
	proxy *Proxy
	addr  string // of the proxy
	lines chan *logrus.Entry
	stop  func() error // ends Serve and returns its error

	mu     sync.Mutex
	runs   map[string]*RunContextData // guarded by mu; by token
	dns    map[string][]netip.Addr    // guarded by mu
	routes map[string]string          // guarded by mu; from ip:port to a listener of this machine
	dials  []string                   // guarded by mu; each ip:port that was dialled
	asked  int                        // guarded by mu; how often names were looked up
}

// authorities are the CA that clients trust, of the proxy, and the one that
// the proxy trusts, of the Internet.
var authorities = sync.OnceValue(func() (a struct{ ours, theirs *pki.CA }) {
	a.ours, _ = pki.Create(time.Now())
	a.theirs, _ = pki.Create(time.Now())
	return a
})

func poolOf(ca *pki.CA) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertificatePEM())
	return pool
}

// newWorld starts a proxy with Options as changed.
func newWorld(tb testing.TB, change ...func(*Options)) *world {
	tb.Helper()
	w := prepare(tb, change...)
	w.start()
	return w
}

// prepare makes what start starts.
func prepare(tb testing.TB, change ...func(*Options)) *world {
	tb.Helper()
	w := &world{
		TB: tb, lines: make(chan *logrus.Entry, 1<<14), runs: map[string]*RunContextData{},
		dns: map[string][]netip.Addr{}, routes: map[string]string{},
	}
	opts := Options{
		Runs:          w.runOf,
		Certificate:   pki.NewLeaves(authorities().ours).Get,
		UpstreamRoots: poolOf(authorities().theirs),
		DrainLimit:    patience,
		Log:           quiet(),
	}
	opts.Log.AddHook(w)
	for _, c := range change {
		c(&opts)
	}
	p, err := newProxy(opts, network{
		lookup: w.lookup, connect: w.connect,
		local: func() ([]net.Addr, error) { return nil, nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	w.proxy = p
	return w
}

func (w *world) start() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	w.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.proxy.Serve(ctx, ln) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return receive(w, "the end of Serve", ended)
	})
	w.Cleanup(func() { _ = w.stop() })
}

// receive waits for what must come on ch.
func receive[T any](tb testing.TB, what string, ch <-chan T) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		tb.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func (w *world) runOf(token string) (*RunContextData, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	run, ok := w.runs[token]
	return run, ok
}

// run makes spec what the run with the token is from now on.
func (w *world) run(token string, spec RunSpec) {
	w.Helper()
	d, err := NewRunContextData(spec)
	if err != nil {
		w.Fatalf("NewRunContextData(%+v): %v", spec, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[token] = d
}

func (w *world) unregister(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.runs, token)
}

func (w *world) lookup(_ context.Context, _, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if addrs, ok := w.dns[host]; ok {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (w *world) connect(ctx context.Context, _, addr string) (net.Conn, error) {
	w.mu.Lock()
	w.dials = append(w.dials, addr)
	to, ok := w.routes[addr]
	w.mu.Unlock()
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", to)
}

func (w *world) dialled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.dials...)
}

// place gives host a public address of its own, unless it has one, where port
// leads to the listener at addr.
func (w *world) place(host string, port int, addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.dns[host]; !ok {
		w.dns[host] = []netip.Addr{netip.AddrFrom4([4]byte{93, 184, 216, byte(len(w.dns) + 1)})}
	}
	w.routes[fmt.Sprintf("%s:%d", w.dns[host][0], port)] = addr
}

// origin serves https://host over HTTP/1.1.
func (w *world) origin(host string, h http.HandlerFunc) *httptest.Server {
	return w.originTLS(host, h, false)
}

// originH2 serves https://host over HTTP/2, if its client can.
func (w *world) originH2(host string, h http.HandlerFunc) { w.originTLS(host, h, true) }

func (w *world) originTLS(host string, h http.HandlerFunc, h2 bool) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	leaves := pki.NewLeaves(authorities().theirs)
	cert, err := leaves.Get(host)
	if err != nil {
		w.Fatal(err)
	}
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	srv.EnableHTTP2 = h2
	srv.Config.ErrorLog = connectionLog(quiet())
	srv.StartTLS()
	w.Cleanup(srv.Close)
	w.place(host, 443, srv.Listener.Addr().String())
	return srv
}

// originPlain serves http://host.
func (w *world) originPlain(host string, h http.HandlerFunc) {
	srv := httptest.NewServer(h)
	w.Cleanup(srv.Close)
	w.place(host, 80, srv.Listener.Addr().String())
}

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

// Levels implements [logrus.Hook].
func (w *world) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements [logrus.Hook].
func (w *world) Fire(e *logrus.Entry) error {
	w.lines <- &logrus.Entry{Logger: e.Logger, Data: maps.Clone(e.Data), Level: e.Level, Message: e.Message}
	return nil
}

// line returns the next line about a request.
func (w *world) line() *logrus.Entry {
	w.Helper()
	for {
		if e := receive(w, "a line in the log", w.lines); e.Data["request_id"] != nil {
			return e
		}
	}
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// echoAuthorization answers with the credentials of the request.
func echoAuthorization(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%q", r.Header.Values("Authorization"))
}

// bearer is the rules of a host that gets a bearer token.
func bearer(token string) *HostRules {
	return &HostRules{Credentials: []Header{{Name: "Authorization", Value: "Bearer " + token, Grant: "g"}}}
}
