package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/routing"
)

// serveRoutes serves an API with a table of routes, nil for none, until the test
// ends.
func serveRoutes(t *testing.T, table *routing.RouteTable) (c *daemon.Client, sock string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "moat") //nolint:usetesting // t.TempDir has the name of the test in it, and a socket's path has 103 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sock = filepath.Join(dir, "api.sock")
	ln, err := activation.ListenUnix(t.Context(), sock)
	if err != nil {
		t.Fatal(err)
	}
	s := daemon.New(daemon.Options{})
	if table != nil {
		s.SetRoutes(table)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return daemon.NewClient(sock), sock
}

func newRoutes(t *testing.T) *routing.RouteTable {
	t.Helper()
	table, err := routing.NewRouteTable(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func registered(t *testing.T, c *daemon.Client, runID string) (token string) {
	t.Helper()
	res, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: runID})
	if err != nil {
		t.Fatal(err)
	}
	return res.AuthToken
}

var web = map[string]string{"web": "127.0.0.1:3000"}

func TestRoutesOverTheAPI(t *testing.T) {
	table := newRoutes(t)
	c, _ := serveRoutes(t, table)
	registered(t, c, "run_1")
	if err := c.RegisterRoutes(t.Context(), "MyApp", map[string]string{"web": "127.0.0.1:3000", "db": "[::1]:5432"}); err != nil {
		t.Fatal(err)
	}
	if err := c.PutRoutes(t.Context(), "other", daemon.RouteRegistration{Services: web, RunID: "run_1"}); err != nil {
		t.Fatal(err)
	}
	got, err := c.ListRoutes(t.Context())
	want := []daemon.RouteInfo{
		{Agent: "myapp", Services: map[string]string{"web": "127.0.0.1:3000", "db": "[::1]:5432"}, Default: "web"},
		{Agent: "other", Services: web, Default: "web", RunID: "run_1"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ListRoutes: %v (-want +got):\n%s", err, diff)
	}
	for range 2 { // a second time there is nothing to remove, which is no error
		if err := c.UnregisterRoutes(t.Context(), "myapp"); err != nil {
			t.Errorf("UnregisterRoutes = %v, want nil", err)
		}
	}
	if got := table.Agents(); !slices.Equal(got, []string{"other"}) {
		t.Errorf("Agents() = %v, want other alone", got)
	}
}

func TestRoutesThatAreRefused(t *testing.T) {
	table := newRoutes(t)
	c, _ := serveRoutes(t, table)
	none, _ := serveRoutes(t, nil)
	registered(t, c, "run_1")
	registered(t, c, "run_2")
	if err := c.PutRoutes(t.Context(), "taken", daemon.RouteRegistration{Services: web, RunID: "run_1"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		client *daemon.Client
		agent  string
		reg    daemon.RouteRegistration
		want   error
		says   string
	}{
		{"a bad name of an agent", c, "my.app", daemon.RouteRegistration{Services: web}, daemon.ErrBadRequest, `agent "my.app" has '.' in it`},
		{"a name of dots alone", c, "..", daemon.RouteRegistration{Services: web}, daemon.ErrBadRequest, "has '.' in it"},
		{"a name with a slash", c, "a/b", daemon.RouteRegistration{Services: web}, daemon.ErrBadRequest, "has '/' in it"},
		{"no name", c, "", daemon.RouteRegistration{Services: web}, daemon.ErrBadRequest, "empty"},
		{"a bad address", c, "a", daemon.RouteRegistration{Services: map[string]string{"web": "3000"}}, daemon.ErrBadRequest, "has no port"},
		{"no services", c, "a", daemon.RouteRegistration{}, daemon.ErrBadRequest, "has no services"},
		{"a run that is not registered", c, "a", daemon.RouteRegistration{Services: web, RunID: "run_9"}, daemon.ErrRunNotFound, `"run_9" is not`},
		{"an agent of another run", c, "Taken", daemon.RouteRegistration{Services: web, RunID: "run_2"}, daemon.ErrRouteTaken, "routes of run run_1"},
		{"a daemon that keeps none", none, "a", daemon.RouteRegistration{Services: web}, daemon.ErrNoRouting, "keeps no routes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.client.PutRoutes(t.Context(), tt.agent, tt.reg)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("PutRoutes(%q, %v) = %v, want %v with %q", tt.agent, tt.reg, err, tt.want, tt.says)
			}
		})
	}
	if got := table.Agents(); !slices.Equal(got, []string{"taken"}) {
		t.Errorf("Agents() = %v, want taken alone", got)
	}
}

func TestRoutesGoWhenTheirRunGoesAndNotBefore(t *testing.T) {
	table := newRoutes(t)
	c, _ := serveRoutes(t, table)
	token, other := registered(t, c, "run_1"), registered(t, c, "other")
	for agent, reg := range map[string]daemon.RouteRegistration{
		"a":      {Services: web, RunID: "run_1"},
		"run_1":  {Services: web}, // by its name
		"b":      {Services: web, RunID: "other"},
		"nobody": {Services: web},
	} {
		if err := c.PutRoutes(t.Context(), agent, reg); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"a new container of the run", func() error { return c.UpdateRun(t.Context(), token, "c1") }, []string{"a", "b", "nobody", "run_1"}},
		{"the run registers again", func() error {
			_, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "run_1", AuthToken: token})
			return err
		}, []string{"a", "b", "nobody", "run_1"}},
		{"the run goes", func() error { return c.UnregisterRun(t.Context(), token) }, []string{"b", "nobody"}},
		{"another run takes the name", func() error {
			return c.PutRoutes(t.Context(), "a", daemon.RouteRegistration{Services: web, RunID: "other"})
		}, []string{"a", "b", "nobody"}},
		{"it goes too", func() error { return c.UnregisterRun(t.Context(), other) }, []string{"nobody"}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := table.Agents(); !slices.Equal(got, step.want) {
			t.Errorf("%s: routes of %v are there, want %v", step.name, got, step.want)
		}
	}
}

func TestRoutesOnTheWire(t *testing.T) {
	_, sock := serveRoutes(t, newRoutes(t))
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", sock)
	}}}
	defer c.CloseIdleConnections()
	for _, tt := range []struct{ name, method, path, body, want string }{
		{"register", "POST", "/v1/routes/a", `{"services":{"web":"h:1"},"new":1}`, `204 `},
		{"list", "GET", "/v1/routes", ``, `200 [{"agent":"a","services":{"web":"h:1"},"default":"web"}]`},
		{"remove", "DELETE", "/v1/routes/a", ``, `204 `},
		{"list of none", "GET", "/v1/routes", ``, `200 []`},
		{"no JSON", "POST", "/v1/routes/a", `{`, `400 {"error":"bad request: the body is no JSON that fits: unexpected EOF","code":"bad_request"}`},
		{
			"no run", "POST", "/v1/routes/a", `{"services":{"web":"h:1"},"run_id":"r"}`,
			`404 {"error":"run not found: routes go with a run that is registered, and \"r\" is not","code":"run_not_found"}`,
		},
	} {
		req, _ := http.NewRequest(tt.method, "http://moatd"+tt.path, strings.NewReader(tt.body))
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := fmt.Sprint(res.StatusCode, " ", strings.TrimSpace(string(body))); got != tt.want {
			t.Errorf("%s: %s %s %s = %s, want %s", tt.name, tt.method, tt.path, tt.body, got, tt.want)
		}
	}
}
