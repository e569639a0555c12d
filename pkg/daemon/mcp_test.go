package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/proxy"
)

// safe is a vault that hands out secrets too.
type safe struct{ *vault }

func (s safe) Secret(ctx context.Context, grant string) (credential.Secret, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret, ok := s.secrets[grant]; ok {
		return credential.Secret(secret), nil
	}
	return "", errors.New("grant " + grant + ": no credential; run `moat grant " + grant + "`")
}

func server(name, grant string) config.MCPServerConfig {
	return config.MCPServerConfig{Name: name, URL: "https://" + name + ".example/mcp", Auth: &config.MCPAuthConfig{Grant: grant}}
}

// relayed returns what becomes of a request to a server: the value of
// Authorization, or the reason of the refusal and its text.
func relayed(t *testing.T, d *proxy.RunContextData, name string) string {
	t.Helper()
	v := d.Decide(proxy.Head{Scheme: "https", Target: hosts.Host{Name: name + ".example", Port: 443}, Server: name})
	if v.Status != 0 {
		return v.Reason + ": " + v.Text
	}
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	v.Rules.Request(req)
	return req.Header.Get("Authorization")
}

func TestServersOfARun(t *testing.T) {
	g := safe{newVault(map[string]string{"mcp:a": "one", "github": "two"})}
	_, c, disk := onDisk(t, g)
	ctx := t.Context()
	res, err := c.RegisterRun(ctx, RegisterRequest{
		RunID: "r", Grants: []string{"mcp:a", "github"},
		MCPServers: []config.MCPServerConfig{server("a", "mcp:a"), server("b", "github"), {Name: "c", URL: "https://c.example/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	reg := NewRegistryWith(RegistryOptions{Granter: g})
	if done, err := (&RunPersister{registry: reg, runs: disk}).Restore(ctx); err != nil || done != (Restored{Runs: 1}) {
		t.Fatalf("Restore = %+v, %v", done, err)
	}
	want := func(when string, servers map[string]string) {
		t.Helper()
		for name, text := range servers {
			if got := relayed(t, live(t, reg, res.AuthToken), name); !strings.Contains(got, text) {
				t.Errorf("%s, a request to %s = %q, want %q", when, name, got, text)
			}
		}
	}
	want("restored", map[string]string{"a": "Bearer one", "b": "Bearer two", "c": "", "d": "mcp-server"})
	g.mu.Lock()
	g.secrets["mcp:a"] = "three"
	g.mu.Unlock()
	reg.Refresh(ctx)
	want("granted anew", map[string]string{"a": "Bearer three", "b": "Bearer two"})
	g.mu.Lock()
	delete(g.secrets, "mcp:a")
	g.mu.Unlock()
	if n := reg.Refresh(ctx); n != 1 {
		t.Errorf("Refresh without the credential = %d, want one run degraded", n)
	}
	want("revoked", map[string]string{"a": "credential-unavailable: the credential for a.example:443 is not available: MCP server a: grant mcp:a", "b": "Bearer two"})
}

// TestRefreshOfARunWithServersAlone has no grants in the run beside those of its
// servers.
func TestRefreshOfARunWithServersAlone(t *testing.T) {
	g := safe{newVault(nil)}
	reg := NewRegistryWith(RegistryOptions{Granter: g})
	RestoreRuns(t.Context(), reg, []PersistedRun{{RunID: "r", AuthToken: "tok", MCPServers: []config.MCPServerConfig{server("a", "mcp:a")}}})
	if ids := reg.Degraded(); len(ids) != 1 {
		t.Errorf("Degraded = %v, want the run", ids)
	}
	g.secrets["mcp:a"] = "late"
	if n := reg.Refresh(t.Context()); n != 0 {
		t.Errorf("Refresh = %d, want none degraded", n)
	}
	if got := relayed(t, live(t, reg, "tok"), "a"); got != "Bearer late" {
		t.Errorf("a request = %q, want the credential", got)
	}
}

func TestRegistrationsWithServers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		granter Granter
		servers []config.MCPServerConfig
		grants  []string
		want    error
		text    string // part of it
	}{
		{"no credential", safe{newVault(nil)}, []config.MCPServerConfig{server("a", "mcp:a")}, nil, ErrGrant, "run `moat grant mcp:a`"},
		{"no place for credentials", newVault(nil), []config.MCPServerConfig{server("a", "mcp:a")}, nil, ErrGrant, "no credentials for MCP servers"},
		{"a grant that is none", safe{newVault(nil)}, []config.MCPServerConfig{server("a", "A B")}, nil, ErrBadRequest, `MCP server "a": grant "A B"`},
		{"an empty grant", safe{newVault(nil)}, []config.MCPServerConfig{server("a", "")}, nil, ErrBadRequest, `MCP server "a"`},
		{"two of a name", safe{newVault(nil)}, []config.MCPServerConfig{server("a", "mcp:a"), server("a", "mcp:a")}, nil, ErrBadRequest, "stands there twice"},
		{"a URL that is none", safe{newVault(nil)}, []config.MCPServerConfig{{Name: "a", URL: "a.example"}}, nil, ErrBadRequest, "must be absolute"},
		{"a grant of a server that the run does not have", safe{newVault(nil)}, nil, []string{"mcp:a"}, ErrGrant, "mcp:a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, c, disk := onDisk(t, tt.granter)
			_, err := c.RegisterRun(t.Context(), RegisterRequest{RunID: "r", MCPServers: tt.servers, Grants: tt.grants})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || len(disk.ids()) > 0 {
				t.Errorf("RegisterRun: %v, on disk %v; want %v with %q, and nothing", err, disk.ids(), tt.want, tt.text)
			}
		})
	}
}

// credentials asks the run's handler, through a proxy on a real socket.
func credentials(t *testing.T, reg *Registry, token string) (int, string) {
	t.Helper()
	p, err := proxy.New(proxy.Options{Runs: reg.Snapshot, Certificate: noLeaf})
	if err != nil {
		t.Fatal(err)
	}
	addr, stop := serveProxy(t, p)
	defer stop()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/_aws/credentials", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// roles makes handlers that tell what they were made for; it refuses regions
// that begin with "bad".
func roles(made *[]string) func(string, AWSConfig) (http.Handler, error) {
	return func(runID string, c AWSConfig) (http.Handler, error) {
		if strings.HasPrefix(c.Region, "bad") {
			return nil, errors.New("region " + c.Region + " is none")
		}
		text := strings.Join([]string{runID, c.RoleARN, c.Region, c.SessionDuration.String(), c.ExternalID, c.SourceProfile}, " ")
		*made = append(*made, text)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }), nil
	}
}

func TestRoleOfARun(t *testing.T) {
	var made []string
	g := safe{newVault(map[string]string{"github": "x"})}
	reg := NewRegistryWith(RegistryOptions{Granter: g, AWS: roles(&made)})
	disk := new(memStore)
	_, c := serve(t, Options{Registry: reg, Persister: &RunPersister{registry: reg, runs: disk}})
	req := RegisterRequest{RunID: "r", Grants: []string{"github", "aws"}, AWSConfig: &AWSConfig{
		RoleARN: "arn", Region: "eu", SessionDuration: time.Hour, ExternalID: "ext", SourceProfile: "work",
	}}
	res, err := c.RegisterRun(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	const want = "r arn eu 1h0m0s ext work"
	if status, text := credentials(t, reg, res.AuthToken); status != 200 || text != want {
		t.Errorf("registered: %d %s, want %s", status, text, want)
	}
	reg.Refresh(t.Context())
	again := NewRegistryWith(RegistryOptions{Granter: g, AWS: roles(&made)})
	if done, err := (&RunPersister{registry: again, runs: disk}).Restore(t.Context()); err != nil || done.Degraded != 0 {
		t.Errorf("Restore = %+v, %v", done, err)
	}
	if status, text := credentials(t, again, res.AuthToken); status != 200 || text != want || len(made) != 2 {
		t.Errorf("restored: %d %s, and %d handlers; want %s, and one for each registry", status, text, len(made), want)
	}
}

func TestRolesThatCannotBe(t *testing.T) {
	var made []string
	for _, tt := range []struct {
		name string
		aws  func(string, AWSConfig) (http.Handler, error)
		want string
	}{
		{"a daemon that assumes none", nil, "this daemon assumes no AWS roles"},
		{"a role that makes no sense", roles(&made), "region bad-1 is none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reg := NewRegistryWith(RegistryOptions{AWS: tt.aws})
			_, c := serve(t, Options{Registry: reg})
			bad := &AWSConfig{Region: "bad-1"}
			if _, err := c.RegisterRun(t.Context(), RegisterRequest{RunID: "r", AWSConfig: bad}); !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("RegisterRun: %v, want a bad request: %s", err, tt.want)
			}
			RestoreRuns(t.Context(), reg, []PersistedRun{{RunID: "r", AuthToken: "tok", AWSConfig: bad}})
			if status, text := credentials(t, reg, "tok"); status != 502 || !strings.Contains(text, tt.want) {
				t.Errorf("restored: %d %s, want 502 with the reason", status, text)
			}
		})
	}
}

// TestSetAWSHandlerWhileServed uses the fixed API alone.
func TestSetAWSHandlerWhileServed(t *testing.T) {
	reg, rc := NewRegistry(), NewRunContext("r")
	token := reg.Register(rc)
	if status, _ := credentials(t, reg, token); status != 404 {
		t.Errorf("without a handler: %d, want 404", status)
	}
	rc.SetAWSHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "keys") }))
	if status, text := credentials(t, reg, token); status != 200 || text != "keys" {
		t.Errorf("with one: %d %s", status, text)
	}
	rc.SetAWSHandler(nil)
	if status, _ := credentials(t, reg, token); status != 404 {
		t.Errorf("without one again: %d, want 404", status)
	}
}
