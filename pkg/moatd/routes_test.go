package moatd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

// visit asks for a URL whose host, whatever it is, is at addr.
func visit(t *testing.T, addr, home, url string) (status int, body string) {
	t.Helper()
	pem, err := os.ReadFile(config.CAFile(home))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	defer tr.CloseIdleConnections()
	status, body, _ = get(t, &http.Client{Transport: tr}, url)
	return status, body
}

func TestRoutesAreServedAcrossARestartUntilTheirRunGoes(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "app at "+r.Host) }))
	defer app.Close()
	d := daemontest.Start(t)
	token := d.Register(daemon.RegisterRequest{RunID: "run_1"})
	reg := daemon.RouteRegistration{Services: map[string]string{"web": app.Listener.Addr().String()}, RunID: "run_1"}
	if err := d.Client.PutRoutes(t.Context(), "myapp", reg); err != nil {
		t.Fatal(err)
	}
	check := func(when string, status int, says string) {
		t.Helper()
		for _, scheme := range []string{"http", "https"} {
			got, body := visit(t, d.Routing, d.Settings.Home, scheme+"://web.myapp.localhost/")
			if got != status || !strings.Contains(body, says) {
				t.Errorf("%s: %s: got %d %q, want %d %q", when, scheme, got, body, status, says)
			}
		}
	}
	check("registered", 200, "app at web.myapp.localhost")
	d.Stop()
	d.Start()
	check("after a restart", 200, "app at web.myapp.localhost")
	if h, err := d.Client.Health(t.Context()); err != nil || h.RoutingPort == 0 || !strings.HasSuffix(d.Routing, ":"+portText(h.RoutingPort)) {
		t.Errorf("Health = %+v, %v, want the port of %s", h, err, d.Routing)
	}
	if err := d.Client.UnregisterRun(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	check("after the end of the run", 404, "unknown_agent")
	d.Stop()
	d.Start()
	check("after that and a restart", 404, "unknown_agent")
}

func portText(port int) string {
	_, text, _ := net.SplitHostPort((&net.TCPAddr{Port: port}).String())
	return text
}

// A kill between the removal of a run and that of its routes leaves these; they
// go at the next start, and the routes of no run stay.
func TestAKillLeavesNoRoutesOfRunsThatAreGone(t *testing.T) {
	p := newProcess(t)
	p.handOver()
	p.start()
	c := daemon.NewClient(p.sock)
	res, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "run_1"})
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]string{"web": "127.0.0.1:1"}
	for agent, runID := range map[string]string{"tied": "run_1", "free": ""} {
		if err := c.PutRoutes(t.Context(), agent, daemon.RouteRegistration{Services: services, RunID: runID}); err != nil {
			t.Fatal(err)
		}
	}
	p.kill()
	p.start()
	if got := agents(t, c); got != "free tied" {
		t.Errorf("after a kill there are routes of %q, want free and tied", got)
	}
	if err := c.UnregisterRun(t.Context(), res.AuthToken); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.start()
	if got := agents(t, c); got != "free" {
		t.Errorf("after the run has gone and a kill there are routes of %q, want free", got)
	}
	p.end()
}

func agents(t *testing.T, c *daemon.Client) string {
	t.Helper()
	list, err := c.ListRoutes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Agent)
	}
	return strings.Join(names, " ")
}

// A developer's own server on 8080 must not keep moatd from starting.
func TestATakenRoutingPortIsAProblemAndNoMore(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name, addr string
		problems   int
	}{
		{"taken", taken.Addr().String(), 1},
		{"not wanted", "", 0},
	} {
		d := daemontest.New(t)
		d.Settings.RoutingAddr = tt.addr
		d.Start()
		h, err := d.Client.Health(t.Context())
		if err != nil || h.RoutingPort != 0 || len(h.Problems) != tt.problems || !strings.Contains(strings.Join(h.Problems, ""), tt.addr) {
			t.Errorf("%s: Health = %+v, %v, want %d problems and no port", tt.name, h, err, tt.problems)
		}
		if err := d.Client.RegisterRoutes(t.Context(), "a", map[string]string{"web": "h:1"}); err != nil {
			t.Errorf("%s: RegisterRoutes = %v, want nil: they are for the next start", tt.name, err)
		}
	}
}

func TestOldRoutesComeAlong(t *testing.T) {
	d := daemontest.New(t)
	if err := os.WriteFile(filepath.Join(d.Settings.Home, "routes.json"), []byte(`{"old":{"web":"127.0.0.1:1"},"b d":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start()
	h, err := d.Client.Health(t.Context())
	if got := agents(t, d.Client); got != "old" || err != nil || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], `"b d"`) {
		t.Errorf("there are routes of %q, problems %v, %v; want old, and b d named", got, h.Problems, err)
	}
}
