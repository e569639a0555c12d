package cli_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/moatd/moatd/pkg/internal/oauthtest"
)

// cmdMCP starts an MCP server that wants a login at $MCP: mcp KIND…, where
// a kind is confidential, unregistered, device, plain or lying. At the end of the script
// none of its secrets is in a file.
func cmdMCP(ts *testscript.TestScript, _ bool, args []string) {
	s := new(oauthtest.Server)
	for _, kind := range args {
		switch kind {
		case "confidential":
			s.Confidential = true
		case "unregistered":
			s.NoRegistration = true
			s.Know("client-of-mine", "", "")
		case "device":
			s.Device = true
		case "plain": // one of before MCP, and without registration
			s.NoMetadata, s.NoRegistration = true, true
			s.Know("client-of-mine", "", "")
		case "lying":
			s.Change = func(_ string, f map[string]any) { f["resource"] = "https://bank.example/mcp" }
		default:
			ts.Fatalf("mcp: no kind %q", kind)
		}
	}
	srv := httptest.NewServer(s)
	ts.Setenv("MCP", srv.URL+"/mcp")
	dir := ts.MkAbs(".")
	ts.Defer(func() {
		srv.Close()
		files, err := readTree(dir)
		ts.Check(err)
		for name, data := range files {
			for _, secret := range s.Secrets() {
				if form := holds(data, secret); form != "" {
					ts.Fatalf("%s holds a secret of the login, %s", name, form)
				}
			}
		}
		for _, f := range s.Faults() {
			ts.Fatalf("the MCP server says: %s", f)
		}
	})
}

// cmdGitHubApp starts a GitHub at $GITHUB that gives the installation 77 a token,
// which is the secret, and writes the key of its app to the file app.pem.
func cmdGitHubApp(ts *testscript.TestScript, _ bool, _ []string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	ts.Check(os.WriteFile(ts.MkAbs("app.pem"), text, 0o600))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		jwt, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if r.URL.Path != "/app/installations/77/access_tokens" || strings.Count(jwt, ".") != 2 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token":%q,"expires_at":%q}`, secret, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	ts.Defer(srv.Close)
	ts.Setenv("GITHUB", srv.URL)
}
