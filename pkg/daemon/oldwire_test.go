package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/daemon"
)

// The wire as it was on 2026-11-23, before routes, relays and roles. These are
// copies, and stay as they are: programs that were built then are still in use.
type (
	oldRegister struct {
		RunID              string           `json:"run_id"`
		AuthToken          string           `json:"auth_token,omitempty"`
		Credentials        []oldCredential  `json:"credentials,omitempty"`
		ExtraHeaders       []oldHeader      `json:"extra_headers,omitempty"`
		RemoveHeaders      []oldRemove      `json:"remove_headers,omitempty"`
		TokenSubstitutions []oldPlaceholder `json:"token_substitutions,omitempty"`
		NetworkPolicy      string           `json:"network_policy,omitempty"`
		NetworkAllow       []string         `json:"network_allow,omitempty"`
		Grants             []string         `json:"grants,omitempty"`
	}
	oldCredential struct {
		Host   string `json:"host"`
		Header string `json:"header"`
		Value  string `json:"value"`
		Grant  string `json:"grant,omitempty"`
	}
	oldHeader struct {
		Host       string `json:"host"`
		HeaderName string `json:"header_name"`
		Value      string `json:"value"`
	}
	oldRemove struct {
		Host       string `json:"host"`
		HeaderName string `json:"header_name"`
	}
	oldPlaceholder struct {
		Host        string `json:"host"`
		Placeholder string `json:"placeholder"`
		RealToken   string `json:"real_token"`
	}
	oldRegistered struct {
		AuthToken string `json:"auth_token"`
		ProxyPort int    `json:"proxy_port"`
	}
	oldUpdate struct {
		ContainerID string `json:"container_id"`
	}
	oldRun struct {
		RunID        string   `json:"run_id"`
		ContainerID  string   `json:"container_id,omitempty"`
		RegisteredAt string   `json:"registered_at"`
		State        string   `json:"state,omitempty"`
		Reason       string   `json:"reason,omitempty"`
		Grants       []string `json:"grants,omitempty"`
	}
	oldHealth struct {
		PID          int      `json:"pid"`
		ProxyPort    int      `json:"proxy_port"`
		RunCount     int      `json:"run_count"`
		StartedAt    string   `json:"started_at"`
		Commit       string   `json:"commit,omitempty"`
		Version      string   `json:"version,omitempty"`
		API          int      `json:"api,omitempty"`
		Capabilities []string `json:"capabilities,omitempty"`
		Degraded     int      `json:"degraded,omitempty"`
		Problems     []string `json:"problems,omitempty"`
	}
	oldError struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}
)

// everything is a request with each field that an old client has.
var everything = oldRegister{
	RunID: "a", AuthToken: "token-of-a",
	Credentials:        []oldCredential{{"api.example", "Authorization", "Bearer s", ""}},
	ExtraHeaders:       []oldHeader{{"api.example", "X-Extra", "1"}},
	RemoveHeaders:      []oldRemove{{"api.example", "X-Api-Key"}},
	TokenSubstitutions: []oldPlaceholder{{"sub.example", "P", "s"}},
	NetworkPolicy:      "strict", NetworkAllow: []string{"*.example"},
}

// oldClient is a client of then.
type oldClient struct{ http *http.Client }

func newOldClient(sock string) oldClient {
	var d net.Dialer
	return oldClient{&http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", sock) },
		DisableKeepAlives: true,
	}}}
}

// do sends a request as the old client did, and decodes what it could.
func (c oldClient) do(t *testing.T, method, path string, body, into any) (status int) {
	t.Helper()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://moatd"+path, &sent)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatalf("%s %s: the answer does not decode: %v", method, path, err)
		}
	}
	return res.StatusCode
}

// shortHome returns a directory that is short enough for a socket in it.
func shortHome(t *testing.T) string {
	t.Helper()
	dir, remove := tempDir()
	t.Cleanup(remove)
	return dir
}

func TestAnOldClientAndTodaysDaemon(t *testing.T) {
	sock := filepath.Join(shortHome(t), "moatd.sock")
	s := daemon.NewServer(sock, 19080)
	ended := make(chan struct{})
	s.SetOnShutdown(func() { close(ended) })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	c := newOldClient(sock)

	var health oldHealth
	if got := c.do(t, "GET", "/v1/health", nil, &health); got != 200 || health.PID != os.Getpid() || health.ProxyPort != 19080 || health.API != 1 {
		t.Errorf("health: status %d, %+v, want 200, this process, port 19080 and API 1", got, health)
	}
	var reg oldRegistered
	if got := c.do(t, "POST", "/v1/runs", everything, &reg); got != 201 || reg != (oldRegistered{"token-of-a", 19080}) {
		t.Errorf("register: status %d, %+v, want 201 with the token of the request", got, reg)
	}
	rc, ok := s.Registry().Lookup("token-of-a")
	if !ok {
		t.Fatal("the run is not registered")
	}
	if cred, _ := rc.GetCredential("api.example"); cred.Value != "Bearer s" || rc.NetworkPolicy != "strict" {
		t.Errorf("the run has %v and the policy %q, want what it was registered with", cred, rc.NetworkPolicy)
	}
	if got := c.do(t, "PATCH", "/v1/runs/token-of-a", oldUpdate{"c1"}, nil); got != 204 {
		t.Errorf("update: status %d, want 204", got)
	}
	var runs []oldRun
	c.do(t, "GET", "/v1/runs", nil, &runs)
	if len(runs) != 1 || runs[0].RunID != "a" || runs[0].ContainerID != "c1" || runs[0].State != "ready" {
		t.Errorf("list: %+v, want the run with its container", runs)
	}
	var refused oldError
	taken := everything
	taken.AuthToken = ""
	if got := c.do(t, "POST", "/v1/runs", taken, &refused); got != 409 || refused.Code != "run_exists" {
		t.Errorf("register again: status %d, %+v, want 409 run_exists", got, refused)
	}
	if got := c.do(t, "DELETE", "/v1/runs/token-of-a", nil, nil); got != 204 {
		t.Errorf("unregister: status %d, want 204", got)
	}
	if got := c.do(t, "DELETE", "/v1/runs/token-of-a", nil, &refused); got != 404 || refused.Code != "run_not_found" {
		t.Errorf("unregister again: status %d, %+v, want 404 run_not_found", got, refused)
	}
	var stopping struct{ Status string }
	if got := c.do(t, "POST", "/v1/shutdown", nil, &stopping); got != 200 || stopping.Status == "" {
		t.Errorf("shutdown: status %d, %+v, want 200", got, stopping)
	}
	<-ended
}

// oldServer is a daemon of the first version, with the fields and endpoints of
// then, and the 404 of net/http for all others.
type oldServer struct {
	mu   sync.Mutex
	got  []oldRegister // guarded by mu
	runs []oldRun      // guarded by mu
}

func (s *oldServer) start(t *testing.T) *daemon.Client {
	t.Helper()
	sock := filepath.Join(shortHome(t), "moatd.sock")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"pid":7,"proxy_port":19080,"run_count":1,"started_at":"2026-01-02T03:04:05Z"}`)
	})
	mux.HandleFunc("POST /v1/runs", s.register)
	mux.HandleFunc("GET /v1/runs", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		json.NewEncoder(w).Encode(s.runs)
	})
	mux.HandleFunc("PATCH /v1/runs/{token}", s.change)
	mux.HandleFunc("DELETE /v1/runs/{token}", s.change)
	mux.HandleFunc("POST /v1/shutdown", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"shutting down"}`) })
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return daemon.NewClient(sock)
}

func (s *oldServer) register(w http.ResponseWriter, r *http.Request) {
	var req oldRegister
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.got = append(s.got, req)
	s.runs = append(s.runs, oldRun{RunID: req.RunID, RegisteredAt: "2026-01-02T03:04:05Z"})
	s.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(oldRegistered{"token-of-a", 19080})
}

// change knows one run, and answers as the first daemons did, without a code.
func (s *oldServer) change(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if r.PathValue("token") != "token-of-a" {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"run not found"}`)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func TestTodaysClientAndAnOldDaemon(t *testing.T) {
	old := new(oldServer)
	c := old.start(t)
	ctx := t.Context()

	c = c.WithVersion("v2.0.0") // which an old daemon does not care about
	health, err := c.Health(ctx)
	if err == nil {
		err = health.Speaks()
	}
	if err != nil || health.PID != 7 || health.API != 0 || health.Capabilities != nil {
		t.Errorf("Health = %+v, %v, want what the daemon says, and zero for what it does not know", health, err)
	}
	req := daemon.RegisterRequest{
		RunID: "a", AuthToken: "token-of-a",
		Credentials:        []daemon.CredentialSpec{{Host: "api.example", Header: "Authorization", Value: "Bearer s"}},
		ExtraHeaders:       []daemon.ExtraHeaderSpec{{Host: "api.example", HeaderName: "X-Extra", Value: "1"}},
		RemoveHeaders:      []daemon.RemoveHeaderSpec{{Host: "api.example", HeaderName: "X-Api-Key"}},
		TokenSubstitutions: []daemon.TokenSubstitutionSpec{{Host: "sub.example", Placeholder: "P", RealToken: "s"}},
		NetworkPolicy:      "strict", NetworkAllow: []string{"*.example"},
	}
	if reg, err := c.RegisterRun(ctx, req); err != nil || reg.AuthToken != "token-of-a" {
		t.Errorf("RegisterRun = %+v, %v, want the token", reg, err)
	}
	if d := cmp.Diff([]oldRegister{everything}, old.got); d != "" {
		t.Errorf("what an old daemon understands of a request (-want +got):\n%s", d)
	}
	if err := c.UpdateRun(ctx, "token-of-a", "c1"); err != nil {
		t.Errorf("UpdateRun = %v", err)
	}
	if runs, err := c.ListRuns(ctx); err != nil || len(runs) != 1 || runs[0].RunID != "a" || runs[0].State != "" {
		t.Errorf("ListRuns = %+v, %v, want the run, in no state", runs, err)
	}
	if err := c.UnregisterRun(ctx, "token-of-a"); err != nil {
		t.Errorf("UnregisterRun = %v", err)
	}
	if err := c.UnregisterRun(ctx, "other"); !errors.Is(err, daemon.ErrRunNotFound) {
		t.Errorf("UnregisterRun(of no run) = %v, want ErrRunNotFound", err)
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}

func TestEachCallThatIsNewerThanTheDaemonSaysSo(t *testing.T) {
	c := new(oldServer).start(t)
	firstVersion := []string{"Health", "ListRuns", "RegisterRun", "Shutdown", "UnregisterRun", "UpdateRun"}
	tested := map[string]bool{"WithVersion": true} // no call
	for _, name := range firstVersion {
		tested[name] = true
	}
	for name, call := range map[string]func(context.Context) error{
		"Reload": c.Reload,
		"Logs":   func(ctx context.Context) error { _, err := c.Logs(ctx, 0); return err },
		"Rekey": func(ctx context.Context) error {
			_, err := c.Rekey(ctx, daemon.RekeyRequest{To: "file"})
			return err
		},
		"Credentials": func(ctx context.Context) error { _, err := c.Credentials(ctx); return err },
		"RegisterRoutes": func(ctx context.Context) error {
			return c.RegisterRoutes(ctx, "app", map[string]string{"web": "127.0.0.1:80"})
		},
		"PutRoutes":        func(ctx context.Context) error { return c.PutRoutes(ctx, "app", daemon.RouteRegistration{}) },
		"UnregisterRoutes": func(ctx context.Context) error { return c.UnregisterRoutes(ctx, "app") },
		"ListRoutes":       func(ctx context.Context) error { _, err := c.ListRoutes(ctx); return err },
	} {
		tested[name] = true
		if err := call(t.Context()); !errors.Is(err, daemon.ErrUnsupported) {
			t.Errorf("%s to an old daemon: error %v, want ErrUnsupported", name, err)
		}
	}
	for m := range reflect.TypeFor[*daemon.Client]().Methods() {
		if !tested[m.Name] {
			t.Errorf("Client.%s is newer than the first version, and nothing is said here of an old daemon that does not know it", m.Name)
		}
	}
}
