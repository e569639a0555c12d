package routing

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/store"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// memory is a Store in memory, whose writes fail while err is set.
type memory struct {
	mu   sync.Mutex
	recs map[string]string // guarded by mu
	err  error             // guarded by mu
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) PutRoutes(agent string, val []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.recs[agent] = string(val)
	}
	return m.err
}

func (m *memory) DeleteRoutes(agent string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		delete(m.recs, agent)
	}
	return m.err
}

func (m *memory) Routes() (recs []store.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, val := range m.recs {
		recs = append(recs, store.Record{ID: id, Val: []byte(val)})
	}
	return recs, m.err
}

// newTable returns an empty table in memory.
func newTable(tb testing.TB) (*RouteTable, *memory) {
	tb.Helper()
	m := &memory{recs: map[string]string{}}
	table, err := Open(m)
	if err != nil {
		tb.Fatal(err)
	}
	return table, m
}

// add registers services, name and address in turn.
func add(tb testing.TB, table *RouteTable, agent string, services ...string) {
	tb.Helper()
	m := make(map[string]string)
	for i := 0; i < len(services); i += 2 {
		m[services[i]] = services[i+1]
	}
	if err := table.Add(agent, m); err != nil {
		tb.Errorf("Add(%s, %v) = %v", agent, m, err)
	}
}

// openFile opens the database at path until the test ends.
func openFile(tb testing.TB, path string) *store.Store {
	tb.Helper()
	st, _, err := store.Open(path, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	return st
}

// A world is a router on a port, its table, and a log.
type world struct {
	testing.TB
	table  *RouteTable
	router *Router
	addr   string
	port   string
	roots  *x509.CertPool
	stop   func() error
	log    *buffer
}

// newWorld serves a router until the test ends.
func newWorld(tb testing.TB, change ...func(*Options)) *world {
	tb.Helper()
	w := &world{TB: tb, log: new(buffer), roots: x509.NewCertPool()}
	w.table, _ = newTable(tb)
	opts := Options{Table: w.table, Certificate: issuer(tb, w.roots), DrainLimit: patience, Log: logrus.New()}
	opts.Log.SetOutput(w.log)
	opts.Log.SetLevel(logrus.DebugLevel)
	for _, fn := range change {
		fn(&opts)
	}
	var err error
	if w.router, err = New(opts); err != nil {
		tb.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	w.addr = ln.Addr().String()
	_, w.port, _ = net.SplitHostPort(w.addr)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.router.Serve(ctx, ln) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	tb.Cleanup(func() {
		if err := w.stop(); err != nil {
			tb.Errorf("Serve = %v, want nil", err)
		}
	})
	return w
}

// service starts a service of an agent.
func (w *world) service(agent, name string, h http.HandlerFunc) *httptest.Server {
	w.Helper()
	srv := httptest.NewServer(h)
	w.Cleanup(srv.Close)
	services := map[string]string{name: srv.Listener.Addr().String()}
	if a, ok := w.table.Agent(agent); ok {
		maps.Copy(services, a.Routes().Services)
	}
	if err := w.table.Add(agent, services); err != nil {
		w.Fatal(err)
	}
	return srv
}

// client returns a client whose every connection goes to the router.
func (w *world) client() *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.addr)
	}
	tr := &http.Transport{
		DialContext: dial, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12},
	}
	w.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// An answer is a response that was read to its end.
type answered struct {
	*http.Response
	body string
}

// get makes a request; header has names and values in turn.
func (w *world) get(url string, header ...string) answered {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return w.send(w.client(), req)
}

func (w *world) send(c *http.Client, req *http.Request) answered {
	w.Helper()
	res, err := c.Do(req)
	if err != nil {
		w.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatalf("%s %s: body: %v", req.Method, req.URL, err)
	}
	return answered{res, string(body)}
}

// raw sends text on a connection of its own and returns the answer.
func (w *world) raw(text string) answered {
	w.Helper()
	conn := w.dial()
	io.WriteString(conn, text)
	return w.readAnswer(conn)
}

func (w *world) readAnswer(conn net.Conn) answered {
	w.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.Fatalf("read an answer: %v", err)
	}
	body, _ := io.ReadAll(res.Body)
	return answered{res, string(body)}
}

func (w *world) dial() net.Conn {
	w.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	w.Cleanup(func() { conn.Close() })
	return conn
}

// until waits for what the program does by itself.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			w.Fatalf("%s: waited in vain", what)
		}
	}
}

func receive[T any](tb testing.TB, what string, from <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		tb.Fatalf("%s: waited in vain", what)
	}
	return v
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func tempFile(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "moatd.db")
}
