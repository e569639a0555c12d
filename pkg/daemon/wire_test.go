package daemon

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
)

var update = flag.Bool("update", false, "write the golden files anew")

// tape records both directions of a connection.
type tape struct {
	net.Conn
	sent, got bytes.Buffer
}

func (c *tape) Write(b []byte) (int, error) {
	c.sent.Write(b)
	return c.Conn.Write(b)
}

func (c *tape) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.got.Write(b[:n])
	return n, err
}

// record makes c record the connection of its next call.
func (c *Client) record(t *testing.T) *tape {
	t.Helper()
	tp := new(tape)
	c.http.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := c.dial(ctx, "", "")
		tp.Conn = conn
		return tp, err
	}}
	return tp
}

// steady makes what differs from one exchange to the next the same.
func steady(wire string) string {
	for _, r := range [][2]string{
		{`Date: [^\r]+`, "Date: DATE"},
		{`"pid":\d+`, `"pid":PID`},
		{`"(started_at|registered_at)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"`, `"$1":"RFC3339"`},
		{`"auth_token":"[0-9a-f]{64}"`, `"auth_token":"64 HEX DIGITS"`},
		{`[0-9a-f]{64}`, "64-HEX-DIGITS"},
	} {
		wire = regexp.MustCompile(r[0]).ReplaceAllString(wire, r[1])
	}
	if strings.Contains(wire, "RFC3339") || strings.Contains(wire, "PID") { // their length differs too
		wire = regexp.MustCompile(`Content-Length: \d+`).ReplaceAllString(wire, "Content-Length: N")
	}
	return strings.ReplaceAll(wire, "\r\n", "\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "wire", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: the wire is what other versions rely on; fields may be added only (-want +got):\n%s", path, d)
	}
}

// post sends a body of any kind.
func post(body string) func(context.Context, *Client) error {
	return func(ctx context.Context, c *Client) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://moatd/v1/runs", strings.NewReader(body))
		if err != nil {
			return err
		}
		res, err := c.http.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
}

func register(req RegisterRequest) func(context.Context, *Client) error {
	return func(ctx context.Context, c *Client) error {
		_, err := c.RegisterRun(ctx, req)
		return err
	}
}

func rekey(to string) func(context.Context, *Client) error {
	return func(ctx context.Context, c *Client) error {
		_, err := c.Rekey(ctx, RekeyRequest{To: to})
		return err
	}
}

// fakeRekey moves a home from a file to another, and from no locked keyring.
func fakeRekey(_ context.Context, to string) (RekeyResponse, error) {
	if to != "file" {
		return RekeyResponse{}, fmt.Errorf("the key is in the keyring: %w; unlock it", credential.ErrKeyLocked)
	}
	return RekeyResponse{
		From: KeyInfo{Source: "file", ID: "0011223344556677"}, To: KeyInfo{Source: to, ID: "8899aabbccddeeff"},
		Credentials: 2, Skipped: []string{"file x: damaged"},
	}, nil
}

// everything is a request with each field set.
var everything = RegisterRequest{
	RunID: "run_2", AuthToken: "token-of-run-2",
	Credentials:        []CredentialSpec{{"api.example", "Authorization", "Bearer s3cret", "github"}},
	ExtraHeaders:       []ExtraHeaderSpec{{"api.example", "X-Extra", "1"}},
	RemoveHeaders:      []RemoveHeaderSpec{{"api.example", "X-Api-Key"}},
	TokenSubstitutions: []TokenSubstitutionSpec{{"sub.example", "PLACE", "s3cret"}},
	NetworkPolicy:      "strict", NetworkAllow: []string{"*.example:443"}, Grants: []string{"github"},
}

func TestWire(t *testing.T) {
	unknown := everything
	unknown.MCPServers = []config.MCPServerConfig{{Name: "linear", URL: "https://mcp.example", Auth: &config.MCPAuthConfig{Grant: "mcp:linear", Header: "Authorization"}}}
	unknown.AWSConfig = &AWSConfig{RoleARN: "arn", Region: "eu", SessionDuration: 1, ExternalID: "x"}
	unknown.ResponseTransformers = []TransformerSpec{{"api.example", "response-scrub"}}
	for _, tt := range []struct {
		name string
		call func(context.Context, *Client) error
	}{
		{"health", func(ctx context.Context, c *Client) error { _, err := c.Health(ctx); return err }},
		{"list", func(ctx context.Context, c *Client) error { _, err := c.ListRuns(ctx); return err }},
		{"list-with-version", func(ctx context.Context, c *Client) error {
			_, err := c.WithVersion("v1.2.3").ListRuns(ctx)
			return err
		}},
		{"register", register(RegisterRequest{RunID: "run_2", Grants: []string{"github"}})},
		{"register-everything", register(everything)},
		{"register-not-supported", register(unknown)},
		{"register-again-degraded", register(RegisterRequest{RunID: "run_1", AuthToken: "token-of-run-1", Grants: []string{"gitlab"}})},
		{"register-without-credential", register(RegisterRequest{RunID: "run_2", Grants: []string{"gitlab"}})},
		{"register-taken", register(RegisterRequest{RunID: "run_1"})},
		{"register-bad-rules", register(RegisterRequest{RunID: "run_2", NetworkAllow: []string{"*.*"}})},
		{"register-no-json", post("run_2")},
		{"register-no-body", post("")},
		{"register-unknown-fields", post(`{"run_id":"run_2","later":{"a":[1]},"auth_token":"t"}`)},
		{"update", func(ctx context.Context, c *Client) error { return c.UpdateRun(ctx, "token-of-run-1", "c2") }},
		{"update-unknown", func(ctx context.Context, c *Client) error { return c.UpdateRun(ctx, "other", "c2") }},
		{"unregister", func(ctx context.Context, c *Client) error { return c.UnregisterRun(ctx, "token-of-run-1") }},
		{"unregister-unknown", func(ctx context.Context, c *Client) error { return c.UnregisterRun(ctx, "..") }},
		{"logs", func(ctx context.Context, c *Client) error { _, err := c.Logs(ctx, 7); return err }},
		{"logs-bad", func(ctx context.Context, c *Client) error {
			_, err := call[empty](ctx, c, http.MethodGet, "/v1/logs?after=x", nil)
			return err
		}},
		{"reload", func(ctx context.Context, c *Client) error { return c.Reload(ctx) }},
		{"rekey", rekey("file")},
		{"rekey-locked", rekey("keyring")},
		{"shutdown", func(ctx context.Context, c *Client) error { return c.Shutdown(ctx) }},
		{"unknown-endpoint", func(ctx context.Context, c *Client) error {
			_, err := call[empty](ctx, c, http.MethodPost, "/v1/later", empty{})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(map[string]string{"github": "s3cret"})
			r := NewRegistryWith(RegistryOptions{Granter: v})
			s, c := serve(t, Options{
				Registry: r, Version: "1.2.3", Problems: func() []string { return []string{"a problem"} },
				Key: func() KeyInfo {
					return KeyInfo{Source: "keyring", ID: "0011223344556677", Problem: "the keyring is locked"}
				},
				Rekey: fakeRekey,
				Vitals: func(h *HealthResponse) {
					h.Exe, h.ExeChanged, h.FDLimit, h.FDOpen = "/usr/bin/moatd", true, 65536, 42
				},
			})
			s.SetProxyPort(19080)
			restored(r, "run_0", "gitlab")
			rc := NewRunContext("run_1")
			rc.ContainerID = "c1"
			r.RegisterWithToken(rc, "token-of-run-1")
			tp := c.record(t)
			said := "ok"
			if err := tt.call(t.Context(), c); err != nil {
				said = err.Error()
			}
			golden(t, tt.name, fmt.Sprintf("REQUEST\n%s\nANSWER\n%s\nCLIENT\n%s\n", steady(tp.sent.String()), steady(tp.got.String()), said))
		})
	}
}
