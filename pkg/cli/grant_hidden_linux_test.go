package cli_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/oauthtest"
)

// TestNothingOfACredentialReachesAProcess grants what has secrets beside the one
// that is sent, runs processes that look at their own environment and that of
// moat, and exports all of it.
func TestNothingOfACredentialReachesAProcess(t *testing.T) {
	const client = "a-client's/secret+of=the&test?"
	c := newCity(t)
	s := &oauthtest.Server{Confidential: true}
	server := startMCP(t, s)
	s.Know("mine", client, "")
	key := appKey(t)
	c.GrantCredential(&credential.Credential{
		Grant: "github", Secret: secret, Source: "github-app", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		Renewal: &credential.Renewal{Kind: credential.RenewalGitHubApp, AppID: "1", InstallationID: "2", PrivateKey: credential.Secret(key)},
	})
	writeFile(t, filepath.Join(c.dir, "client-secret"), client)
	_, said := c.logIn("mcp:demo", "--url", server, "--client-id", "mine", "--client-secret-file", filepath.Join(c.dir, "client-secret"))
	c.Start()
	out := c.run([]string{"--grant", "github", "--grant", "mcp:demo"}, "sh", "-c", `
		tr '\0' '\n' < /proc/self/environ
		tr '\0' '\n' < /proc/$PPID/environ
		tr '\0' ' ' < /proc/$PPID/cmdline
		env`)
	if strings.Count(out, "GH_TOKEN=") < 2 || !strings.Contains(out, "moat run --grant") {
		t.Fatalf("the processes do not show their environment and that of moat: %q", out)
	}
	export := exec.Command("moat", "grant", "export", filepath.Join(c.Settings.Home, "all.age"), "--recipient", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")
	export.Env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "MOAT_HOME=" + c.Settings.Home, "MOAT_KEY_SOURCE=file", "GORACE=" + os.Getenv("GORACE")}
	exported, err := export.CombinedOutput()
	if err != nil || !strings.Contains(string(exported), "exported github, mcp:demo") {
		t.Fatalf("moat grant export: %v\n%s", err, exported)
	}
	c.Stop()
	secrets := append(s.Secrets(), secret, client, key)
	for line := range strings.Lines(key) {
		secrets = append(secrets, strings.TrimSpace(line)) // a part of it would do
	}
	checkHidden(t, long(secrets), c.Settings.Home, strings.Join([]string{said, out, string(exported), c.Log()}, "\n"))
}

// long leaves out the lines of a key that anybody may know: its ends.
func long(secrets []string) []string {
	var all []string
	for _, s := range secrets {
		if len(s) > 20 && !strings.HasPrefix(s, "-----") || strings.Count(s, "\n") > 1 {
			all = append(all, s)
		}
	}
	return all
}

// appKey returns the key of a GitHub App, as GitHub hands it out.
func appKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}
