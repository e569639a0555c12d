package mitm

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/pki"
)

const patience = 10 * time.Second

// start returns a server whose tunnels answer with where they lead, and what
// its clients trust.
func start(t *testing.T, h http.HandlerFunc) (*Server, *x509.CertPool) {
	t.Helper()
	ca, err := pki.Create(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertificatePEM())
	s := New(Options{Certificate: pki.NewLeaves(ca).Get, Handler: h})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return s, roots
}

func where(w http.ResponseWriter, r *http.Request) {
	t := From(r.Context())
	_, _ = io.WriteString(w, t.Target.String()+" "+t.Token)
}

// pipe returns both ends of a connection of TCP.
func pipe(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(patience))
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func tunnel(name string) *Tunnel {
	return &Tunnel{Target: hosts.Host{Name: name, Port: 443}, Token: "tok"}
}

func TestCertificateIsOfTheNameThatTheClientExpects(t *testing.T) {
	s, roots := start(t, where)
	for _, tt := range []struct{ name, target, sni, verify string }{
		{"that of SNI", "api.test", "api.test", "api.test"},
		{"that of SNI, where the tunnel leads elsewhere", "api.test", "evil.test", "evil.test"},
		{"that of SNI in lower case", "api.test", "API.test", "api.test"},
		{"that of the tunnel without SNI", "api.test", "", "api.test"},
		{"the address of the tunnel", "127.0.0.1", "", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := pipe(t)
			s.Take(server, tunnel(tt.target), strings.NewReader(""))
			conn := tls.Client(client, &tls.Config{ServerName: tt.sni, InsecureSkipVerify: true})
			if err := conn.Handshake(); err != nil {
				t.Fatalf("handshake: %v", err)
			}
			chain := conn.ConnectionState().PeerCertificates
			if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: tt.verify}); err != nil {
				t.Errorf("certificate for %s: %v", tt.verify, err)
			}
		})
	}
}

func TestNoCertificateNoTunnel(t *testing.T) {
	s := New(Options{
		Certificate: func(string) (*tls.Certificate, error) { return nil, errors.New("no") },
		Handler:     http.HandlerFunc(where),
	})
	go func() { _ = s.Serve() }()
	defer s.Shutdown(t.Context())
	client, server := pipe(t)
	s.Take(server, tunnel("api.test"), strings.NewReader(""))
	if err := tls.Client(client, &tls.Config{ServerName: "api.test"}).Handshake(); err == nil {
		t.Error("handshake = nil, want an error")
	}
}

// clientOf returns a client whose only connection is the tunnel.
func clientOf(t *testing.T, s *Server, roots *x509.CertPool, h2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: h2,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := pipe(t)
			s.Take(server, tunnel("api.test"), strings.NewReader(""))
			return client, nil
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func ask(t *testing.T, c *http.Client) *http.Response {
	t.Helper()
	res, err := c.Get("https://api.test/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "api.test:443 tok" {
		t.Errorf("answer = %q, %v", body, err)
	}
	return res
}

func TestRequestsKnowTheirTunnel(t *testing.T) {
	s, roots := start(t, where)
	for version, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(version, func(t *testing.T) {
			if res := ask(t, clientOf(t, s, roots, h2)); res.Proto != version {
				t.Errorf("the tunnel spoke %s, want %s", res.Proto, version)
			}
		})
	}
	if got := From(t.Context()); got != nil {
		t.Errorf("From(context of no tunnel) = %v, want nil", got)
	}
}

func TestCloseIdleClosesTunnelsBetweenRequests(t *testing.T) {
	for version, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(version, func(t *testing.T) {
			s, roots := start(t, where)
			client, server := pipe(t)
			s.Take(server, tunnel("api.test"), strings.NewReader(""))
			closed := make(chan struct{})
			conn := &watched{Conn: client, closed: closed}
			tr := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: h2,
				DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
			}
			defer tr.CloseIdleConnections()
			ask(t, &http.Client{Transport: tr})
			for end := time.Now().Add(patience); ; runtime.Gosched() {
				s.CloseIdle()
				select {
				case <-closed:
					return
				default:
				}
				if time.Now().After(end) {
					t.Fatal("the tunnel is still open")
				}
			}
		})
	}
}

// watched tells when its client closes it, which it does once the server has.
type watched struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

// Close implements [net.Conn].
func (w *watched) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// TestStagesOfAConnection is what net/http says of connections, and whether
// they are idle then.
func TestStagesOfAConnection(t *testing.T) {
	const a, i, c = http.StateActive, http.StateIdle, http.StateClosed
	for _, tt := range []struct {
		name   string
		states []http.ConnState
		want   int
	}{
		{"a new one is not idle", []http.ConnState{http.StateNew}, 0},
		{"HTTP/2 before its first request is not idle", []http.ConnState{http.StateNew, a, i}, 0},
		{"HTTP/2 with a request is not idle", []http.ConnState{http.StateNew, a, i, a}, 0},
		{"HTTP/2 after a request is idle", []http.ConnState{http.StateNew, a, i, a, i}, 1},
		{"HTTP/2 with another request is not", []http.ConnState{http.StateNew, a, i, a, i, a}, 0},
		{"one that is closed is forgotten", []http.ConnState{http.StateNew, a, i, a, i, c}, 0},
		{"and so is one that was upgraded", []http.ConnState{http.StateNew, a, http.StateHijacked}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			idle := idlers{states: map[net.Conn]state{}}
			conn, _ := net.Pipe()
			for _, s := range tt.states {
				idle.note(conn, s)
			}
			if got := len(idle.before(time.Now().Add(time.Hour))); got != tt.want {
				t.Errorf("%v: %d idle, want %d", tt.states, got, tt.want)
			}
			if last := tt.states[len(tt.states)-1]; (last == c || last == http.StateHijacked) && len(idle.states) != 0 {
				t.Errorf("%v: still known", tt.states)
			}
		})
	}
}

func TestTakeAfterShutdownClosesTheConnection(t *testing.T) {
	s := New(Options{Certificate: nil, Handler: http.HandlerFunc(where)})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("Serve = %v, want nil", err)
	}
	client, server := pipe(t)
	s.Take(server, tunnel("api.test"), strings.NewReader(""))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v, want EOF", err)
	}
}

func TestSlowHandshakeIsCut(t *testing.T) {
	s := New(Options{Certificate: nil, Handler: http.HandlerFunc(where)})
	s.http.ReadHeaderTimeout = 20 * time.Millisecond
	go func() { _ = s.Serve() }()
	defer s.Shutdown(t.Context())
	client, server := pipe(t)
	s.Take(server, tunnel("api.test"), strings.NewReader("\x16\x03\x01"))
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v, want EOF", err)
	}
}

// TestTunnelReadsWhatCameEarlyFirst reads in pieces of each size.
func TestTunnelReadsWhatCameEarlyFirst(t *testing.T) {
	for _, tt := range []struct {
		name  string
		early io.Reader
	}{
		{"nothing early", strings.NewReader("")},
		{"some, then the end", strings.NewReader("early ")},
		{"some together with the end", iotest.DataErrReader(strings.NewReader("early "))},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("early "))},
		{"no reader at all", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := "early late"
			if r, ok := tt.early.(*strings.Reader); tt.early == nil || ok && r.Len() == 0 {
				want = "late"
			}
			client, server := pipe(t)
			_, _ = io.WriteString(client, "late")
			_ = client.Close()
			c := &tunnelConn{Conn: server, early: tt.early}
			if err := iotest.TestReader(bufio.NewReader(c), []byte(want)); err != nil {
				t.Error(err)
			}
		})
	}
}
