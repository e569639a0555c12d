package cli_test

import (
	"bufio"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/oauthtest"
)

// startMCP starts an MCP server that wants a login and returns its URL.
func startMCP(t *testing.T, s *oauthtest.Server) string {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Cleanup(func() {
		for _, f := range s.Faults() {
			t.Errorf("the server says: %s", f)
		}
	})
	return srv.URL + "/mcp"
}

// logIn runs moat grant, opens the address that it prints, as a person does, and
// returns what it printed.
func (c *city) logIn(args ...string) (stdout, stderr string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "moat", append([]string{"grant", "--no-browser"}, args...)...)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "MOAT_HOME=" + c.Settings.Home, "MOAT_KEY_SOURCE=file", "GORACE=" + os.Getenv("GORACE")}
	var out strings.Builder
	cmd.Stdout = &out
	pipe, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(io.TeeReader(pipe, &said))
	for lines.Scan() {
		if where := strings.TrimSpace(lines.Text()); strings.HasPrefix(where, "http://") {
			browse(c.t, where)
		}
	}
	if err := cmd.Wait(); err != nil {
		c.t.Fatalf("moat grant %q: %v\n%s", args, err, &said)
	}
	return out.String(), said.String()
}

func browse(t *testing.T, where string) {
	t.Helper()
	res, err := http.Get(where)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), "You can close this page") {
		t.Errorf("the browser shows %d %q, %v", res.StatusCode, text, err)
	}
}

// TestClientsOfAnMCPServerWithALogin grants by a login and has clients, which know
// nothing of it, use the server through the relay.
func TestClientsOfAnMCPServerWithALogin(t *testing.T) {
	c := newCity(t)
	s := &oauthtest.Server{}
	server := startMCP(t, s)
	c.Start()
	stdout, stderr := c.logIn("mcp:demo", "--url", server)
	if !strings.HasPrefix(stdout, "granted mcp:demo (") {
		t.Errorf("moat grant printed %q", stdout)
	}
	here, _ := strings.CutPrefix(strings.TrimSuffix(server, "/mcp"), "http://") // or it would not be dialled, as it is on this machine
	token := c.Register(daemon.RegisterRequest{
		RunID: "run_mcp", NetworkAllow: []string{here},
		MCPServers: []config.MCPServerConfig{{Name: "demo", URL: server, Auth: &config.MCPAuthConfig{Grant: "mcp:demo"}}},
	})
	relay := "http://" + c.Proxy + "/mcp/" + token + "/demo"
	shown := []string{stdout, stderr}
	for _, tt := range []struct{ name, program, sdk, script string }{
		{"the SDK for Node", "node", "@modelcontextprotocol/sdk", `
			import { createRequire } from 'node:module';
			const require = createRequire(process.env.NODE_PATH + '/');
			const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
			const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');
			const client = new Client({name: 'test', version: '1'});
			await client.connect(new StreamableHTTPClientTransport(new URL(process.env.MCP)));
			console.log((await client.listTools()).tools.map(t => t.name).join());
			console.log((await client.callTool({name: 'echo', arguments: {text: 'hello'}})).content[0].text);
			await client.close();`},
		{"curl", "sh", "", `
			post() { curl -sSN -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' "$@" "$MCP"; }
			id=$(post -D - -o /dev/null -d '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}' | tr -d '\r' | sed -n 's/^[Mm]cp-[Ss]ession-[Ii]d: //p')
			post -H "Mcp-Session-Id: $id" -d '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
			post -H "Mcp-Session-Id: $id" -d '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}'`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			if _, err := os.Stat(filepath.Join(nodeModules, tt.sdk)); tt.sdk != "" && (nodeModules == "" || err != nil) {
				t.Skipf("there is no %s: npm install it, and set MOAT_TEST_NODE_MODULES to the directory node_modules", tt.sdk)
			}
			if _, err := exec.LookPath("curl"); err != nil && tt.program == "sh" {
				t.Skip("there is no curl here")
			}
			args := map[string][]string{"node": {"--input-type=module", "-e", tt.script}, "sh": {"-c", tt.script}}[tt.program]
			cmd := c.moat(nil, tt.program, args...) // under moat run, as any agent
			cmd.Env = append(cmd.Env, "NODE_PATH="+nodeModules, "MCP="+relay)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "echo: hello") || !strings.Contains(string(out), "echo\n") && tt.sdk != "" {
				t.Errorf("it printed %q, %v", out, err)
			}
			shown = append(shown, string(out))
		})
	}
	c.Stop()
	checkHidden(t, s.Secrets(), c.Settings.Home, strings.Join(append(shown, c.Log()), "\n"))
}

// checkHidden looks for secrets in a text and in every file of a home.
func checkHidden(t *testing.T, secrets []string, home, text string) {
	t.Helper()
	if len(secrets) < 3 {
		t.Fatalf("there are %d secrets, want a code and two tokens at least", len(secrets))
	}
	files, err := readTree(home)
	if err != nil || len(files) < 3 {
		t.Fatalf("the home has %d files, %v", len(files), err)
	}
	files["what was printed and logged"] = text
	for name, data := range files {
		for _, s := range secrets {
			if form := holds(data, s); form != "" {
				t.Errorf("%s holds a secret, %s", name, form)
			}
		}
	}
}

// readTree returns every file below dir.
func readTree(dir string) (map[string]string, error) {
	all := map[string]string{}
	return all, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
}

func TestHoldsFindsSecretsOfALogin(t *testing.T) {
	s := &oauthtest.Server{}
	srv := startMCP(t, s)
	c := newCity(t)
	c.logIn("mcp:demo", "--url", srv)
	token := s.Secrets()[1]
	for name, text := range map[string]string{
		"clear": token, "a form": url.Values{"refresh_token": {token}}.Encode(), "base64": base64.StdEncoding.EncodeToString([]byte("a:" + token)),
	} {
		if holds(text, token) == "" {
			t.Errorf("holds does not find it in %s", name)
		}
	}
}
