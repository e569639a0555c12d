//go:build e2e

package systemd_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/moatd/moatd/pkg/credential"
)

// What renews a credential, which reaches nobody but the server that it is for.
const (
	refreshToken = "r3fresh/token+of=a&login?~"
	clientSecret = "cl1ent/secret+of=a&login?~"
	privateKey   = "-----BEGIN PRIVATE KEY-----\npr1vate/key+of=an&app?~\n-----END PRIVATE KEY-----\n"
)

// testNoSecrets comes last: by now the daemon has been started, refused, killed,
// and made to dump its stacks.
func (m machine) testNoSecrets(t *testing.T) {
	m.importRenewable(t)
	r := m.register(t, "run_secrets")
	m.works(t, r, "after it was registered")
	m.asUser(t, "moat", "grant", "export", "/home/moat/again.age", "--recipient", exported(t).Recipient().String())
	environ := m.asUser(t, "moat", "run", "--grant", "demo", "--", "sh", "-c", `tr '\0' '\n' </proc/self/environ
		tr '\0' '\n' </proc/$PPID/environ; tr '\0' '\n' </proc/$PPID/cmdline; cat /proc/[0-9]*/environ 2>/dev/null; true`)
	m.asRoot(t, "journalctl", "--sync")
	journal := m.asRoot(t, "journalctl", "--all", "--output", "export", "--no-pager")
	files := m.asRoot(t, "sh", "-c", `cd / && tar -cf - home/moat run/user/1000 tmp var/tmp var/log var/lib/systemd dev/shm 2>/dev/null
		test $? -le 1`) // 1: a file, of the journal, changed meanwhile
	if !strings.Contains(journal, r.id) || !strings.Contains(files, "home/moat/.moat/") || !strings.Contains(files, "home/moat/again.age") {
		t.Fatal("the journal or the files do not have what must be there; so the search means nothing")
	}
	if strings.Count(environ, "DEMO_TOKEN=placeholder") < 1 || !strings.Contains(environ, "HTTPS_PROXY=http://moat:") {
		t.Fatalf("the run's processes do not show their environment: %q", environ)
	}
	for _, s := range []string{secret, refreshToken, clientSecret, privateKey, strings.Split(privateKey, "\n")[1]} {
		for form, text := range forms(s) {
			for where, all := range map[string]string{"journal": journal, "files": files, "environment of the processes": environ} {
				if i := strings.Index(all, text); i >= 0 {
					t.Errorf("the secret %q is in the %s, %s, near %q", s[:8], where, form, around(all, i))
				}
			}
		}
	}
	if i := strings.Index(journal, r.token); i >= 0 {
		t.Errorf("a run's token is in the journal, near %q", around(journal, i))
	}
}

// importRenewable stores credentials that have secrets beside the one that is
// sent, as a person brings them from another machine.
func (m machine) importRenewable(t *testing.T) {
	t.Helper()
	now := time.Now()
	all := []credential.Credential{
		{Grant: "mcp:demo", Secret: secret, Source: "login", CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour), Renewal: &credential.Renewal{
			Kind: credential.RenewalOAuth2, RefreshToken: refreshToken, ClientID: "c", ClientSecret: clientSecret, TokenURL: "https://localhost:8443/token",
		}},
		{Grant: "github", Secret: secret, Source: "github-app", CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour), Renewal: &credential.Renewal{
			Kind: credential.RenewalGitHubApp, AppID: "1", InstallationID: "2", PrivateKey: privateKey,
		}},
	}
	identity := exported(t)
	var file bytes.Buffer
	w, err := age.Encrypt(&file, identity.Recipient())
	if err == nil {
		err = credential.WriteArchive(w, all)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "/home/moat/identity", identity.String()+"\n")
	m.pipeAsUser(t, file.String(), "moat", "grant", "import", "-", "--identity", "/home/moat/identity", "--replace")
	m.asUser(t, "rm", "/home/moat/identity") // with it, anybody could read the export
}

// exported returns a key of age of this test.
func exported(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// forms returns what s looks like in the places where secrets turn up. In base64
// that depends on how many bytes stand before it.
func forms(s string) map[string]string {
	f := map[string]string{"in clear": s, "in a URL's query": url.QueryEscape(s), "in a URL's path": url.PathEscape(s)}
	for before, name := range []string{"in base64", "in base64 after one byte", "in base64 after two bytes"} {
		whole := base64.StdEncoding.EncodeToString([]byte("::"[:before] + s))
		f[name] = whole[4 : len(whole)-4] // the ends mix with the neighbours
		f[name+", URL alphabet"] = strings.NewReplacer("+", "-", "/", "_").Replace(f[name])
	}
	return f
}

func around(all string, i int) string {
	return all[max(0, i-200):i] + "…"
}
