package moatd_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

// ask returns status and body of a GET on the proxy's own port.
func ask(t *testing.T, url, authorization string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}

// TestMCPServerOfARun goes through the life of a credential, and a restart.
func TestMCPServerOfARun(t *testing.T) {
	d := daemontest.New(t)
	host := d.Origin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %q", r.URL, r.Header.Values("Authorization"))
	}))
	d.Grant("mcp:linear", "lin-s3cret-1")
	d.Start()
	token := d.Register(daemon.RegisterRequest{
		RunID: "r", Grants: []string{"mcp:linear"}, NetworkPolicy: "strict", NetworkAllow: []string{host},
		MCPServers: []config.MCPServerConfig{{Name: "linear", URL: "https://" + host + "/mcp", Auth: &config.MCPAuthConfig{Grant: "mcp:linear"}}},
	})
	check := func(when, want string) {
		t.Helper()
		if got := ask(t, "http://"+d.Proxy+"/mcp/"+token+"/linear/x?q=1", "Bearer moat-stub-mcp:linear"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	check("registered", `200 /mcp/x?q=1 ["Bearer lin-s3cret-1"]`)
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+host+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer moat-stub-mcp:linear")
	res, err := d.HTTPClient(token).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != `/mcp ["Bearer lin-s3cret-1"]` {
		t.Errorf("through the proxy: %s, %v", body, err)
	}
	d.Grant("mcp:linear", "lin-s3cret-2")
	check("granted anew", `200 /mcp/x?q=1 ["Bearer lin-s3cret-2"]`)
	d.Stop()
	d.Start()
	check("after a restart", `200 /mcp/x?q=1 ["Bearer lin-s3cret-2"]`)
	d.Revoke("mcp:linear")
	check("revoked", "503 ")
	if log := d.Log(); strings.Contains(log, token) || strings.Contains(log, "lin-s3cret") {
		t.Errorf("the log has the token or the secret:\n%s", log)
	}
}

// TestAWSRoleOfARun has no keys to assume it with, and asks nobody.
func TestAWSRoleOfARun(t *testing.T) {
	for _, name := range []string{"HOME", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}
	d := daemontest.Start(t)
	role := &daemon.AWSConfig{RoleARN: "arn:aws:iam::123456789012:role/agent", Region: "eu-central-1"}
	token := d.Register(daemon.RegisterRequest{RunID: "r", AWSConfig: role})
	url := "http://" + d.Proxy + "/_aws/credentials"
	if got := ask(t, url, "Bearer "+token); !strings.HasPrefix(got, "502 ") || !strings.Contains(got, role.RoleARN) || !strings.Contains(got, "moat grant aws") {
		t.Errorf("without keys: %s, want 502, the role and what to do", got)
	}
	d.Grant("aws", "not keys at all")
	if got := ask(t, url, "Bearer "+token); !strings.Contains(got, "holds no keys") {
		t.Errorf("with a grant that makes no sense: %s", got)
	}
	if got := ask(t, url, ""); !strings.HasPrefix(got, "401 ") {
		t.Errorf("without a token: %s, want 401", got)
	}
	role.Region = "nowhere"
	if _, err := d.Client.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "s", AWSConfig: role}); err == nil || !strings.Contains(err.Error(), `region "nowhere"`) {
		t.Errorf("RegisterRun: %v, want what is wrong with the region", err)
	}
}
