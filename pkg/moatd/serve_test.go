package moatd_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/moatd"
)

// demo returns a daemon, not started, with a provider "demo" for an origin that
// answers with the Authorization that it saw.
func demo(t *testing.T) (d *daemontest.Daemon, origin string) {
	t.Helper()
	d = daemontest.New(t)
	origin = d.Origin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization"))
	}))
	d.Provider("demo", fmt.Sprintf("name: demo\ndescription: d\ninject: [{hosts: [%q], prefix: 'Bearer '}]\n", origin))
	return d, origin
}

func demoRun(origin string) daemon.RegisterRequest {
	return daemon.RegisterRequest{RunID: "r", Grants: []string{"demo"}, NetworkPolicy: "strict", NetworkAllow: []string{origin}}
}

// get returns the status and the body of an answer, and whether the request
// went out on a connection that was open before.
func get(t *testing.T, c *http.Client, url string) (status int, body string, reused bool) {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return res.StatusCode, string(data), reused
}

func TestAnOpenTunnelUsesTheCredentialOfTheMoment(t *testing.T) {
	d, origin := demo(t)
	d.Grant("demo", "first-secret")
	d.Start()
	c := d.HTTPClient(d.Register(demoRun(origin)))
	for i, step := range []struct {
		name   string
		change func()
		status int
		want   string
	}{
		{"the first request has the secret that was granted", func() {}, 200, "Bearer first-secret"},
		{"a new grant is in the next request", func() { d.Grant("demo", "second-secret") }, 200, "Bearer second-secret"},
		{"a revoked grant stops the next request", func() { d.Revoke("demo") }, 503, "moat grant demo"},
		{"granted again, it goes on", func() { d.Grant("demo", "third-secret") }, 200, "Bearer third-secret"},
	} {
		step.change()
		status, body, reused := get(t, c, "https://"+origin+"/")
		if status != step.status || !strings.Contains(body, step.want) {
			t.Errorf("%s: got %d %q, want %d %q", step.name, status, body, step.status, step.want)
		}
		if reused != (i > 0) {
			t.Errorf("%s: on an open tunnel: %t, want %t", step.name, reused, i > 0)
		}
	}
}

func TestARestartKeepsRunsTokensAndPort(t *testing.T) {
	d, origin := demo(t)
	d.Grant("demo", "the-real-secret")
	d.Start()
	token, before := d.Register(demoRun(origin)), d.Proxy
	own := d.Register(daemon.RegisterRequest{
		RunID: "own", NetworkAllow: []string{origin},
		Credentials: []daemon.CredentialSpec{{Host: origin, Header: "Authorization", Value: "own-secret-value"}},
	})
	d.Stop()
	d.Start()
	if d.Proxy != before {
		t.Errorf("the proxy is at %s, want %s as before", d.Proxy, before)
	}
	for tok, want := range map[string]string{token: "Bearer the-real-secret", own: "own-secret-value"} {
		if status, body, _ := get(t, d.HTTPClient(tok), "https://"+origin+"/"); status != 200 || body != want {
			t.Errorf("after the restart: got %d %q, want 200 %q", status, body, want)
		}
	}
}

func TestARunWhoseCredentialIsGoneIsKeptAndHeals(t *testing.T) {
	d, origin := demo(t)
	d.Grant("demo", "the-real-secret")
	d.Start()
	token := d.Register(demoRun(origin))
	d.Stop()
	d.Revoke("demo")
	d.Start()
	runs, err := d.Client.ListRuns(t.Context())
	if err != nil || len(runs) != 1 || runs[0].State != daemon.StateDegraded || !strings.Contains(runs[0].Reason, "moat grant demo") {
		t.Fatalf("ListRuns = %+v, %v, want one degraded run with what to do", runs, err)
	}
	if status, body, _ := get(t, d.HTTPClient(token), "https://"+origin+"/"); status != 503 || !strings.Contains(body, "moat grant demo") {
		t.Errorf("without its credential: got %d %q, want 503 and what to do", status, body)
	}
	d.Grant("demo", "another-secret")
	if status, body, _ := get(t, d.HTTPClient(token), "https://"+origin+"/"); status != 200 || body != "Bearer another-secret" {
		t.Errorf("granted again: got %d %q, want 200 and the credential", status, body)
	}
}

func TestTwoDaemonsDoNotShareAHome(t *testing.T) {
	d := daemontest.Start(t)
	s := d.Settings
	s.APISocket += "2"
	err := moatd.Serve(t.Context(), moatd.Options{Settings: s, Stderr: io.Discard})
	if !errors.Is(err, store.ErrLocked) || moatd.ExitCode(err) != moatd.ExitBusy {
		t.Errorf("Serve on a home in use = %v, exit code %d, want %v, %d", err, moatd.ExitCode(err), store.ErrLocked, moatd.ExitBusy)
	}
}

func TestADaemonWithoutRunsEndsByItself(t *testing.T) {
	d := daemontest.New(t)
	d.Settings.IdleExit = 1 // nanosecond
	err := moatd.Serve(t.Context(), moatd.Options{Settings: d.Settings, Stderr: io.Discard})
	if err != nil {
		t.Errorf("Serve without runs = %v, want nil", err)
	}
}

func TestAClientCanEndTheDaemon(t *testing.T) {
	d := daemontest.Start(t)
	if err := d.Client.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("the daemon ended with %v, want nil", err)
	}
}

func TestBadConfigurationHasAnExitCodeOfItsOwn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*config.Settings)
	}{
		{"an upstream CA that is not there", func(s *config.Settings) { s.UpstreamCA = "/nonexistent.pem" }},
		{"a home that is a file", func(s *config.Settings) { s.Home = "/dev/null" }},
		{"an unknown log format", func(s *config.Settings) { s.LogFormat = "xml" }},
		{"an address that is none", func(s *config.Settings) { s.ProxyAddr = "nowhere" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := daemontest.New(t)
			tt.change(&d.Settings)
			err := moatd.Serve(t.Context(), moatd.Options{Settings: d.Settings, Stderr: io.Discard})
			if moatd.ExitCode(err) != moatd.ExitConfig {
				t.Errorf("Serve = %v, exit code %d, want %d", err, moatd.ExitCode(err), moatd.ExitConfig)
			}
		})
	}
}

// Neither the log nor a file in the home has a secret in a form that anybody
// could read, after every kind of request was made with it.
func TestNothingSecretIsWrittenDown(t *testing.T) {
	const secret, own, rogue = "granted/secret+of=the test", "registered secret~value", "an-agents-own-token-0123456789"
	const refresh, client, key = "refresh?token/of+the&test", "client=secret/of+the&test", "-----BEGIN/private+key=of the test"
	d, origin := demo(t)
	d.GrantCredential(&credential.Credential{
		Grant: "demo", Secret: secret, Source: "test", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		Renewal: &credential.Renewal{
			Kind: credential.RenewalOAuth2, RefreshToken: refresh, ClientSecret: client, PrivateKey: key, TokenURL: "https://" + origin + "/token",
		},
	})
	d.Start()
	token := d.Register(demoRun(origin))
	ownToken := d.Register(daemon.RegisterRequest{
		RunID: "own", NetworkAllow: []string{origin}, AuthToken: rogue,
		Credentials:        []daemon.CredentialSpec{{Host: origin, Header: "X-Key", Value: own}},
		TokenSubstitutions: []daemon.TokenSubstitutionSpec{{Host: origin, Placeholder: "PLACE", RealToken: own}},
	})
	for _, tok := range []string{token, ownToken, "no-such-token"} {
		for _, url := range []string{"https://" + origin + "/PLACE", "https://nowhere.invalid/", "http://127.0.0.1:1/"} {
			if res, err := d.HTTPClient(tok).Get(url); err == nil {
				res.Body.Close()
			}
		}
	}
	d.Stop()
	texts := map[string]string{"the log": d.Log()}
	addFiles(t, texts, d.Settings.Home)
	addSealed(t, texts, d.Settings.Home)
	for where, text := range texts {
		for _, s := range []string{secret, own, refresh, client, key} {
			for _, form := range forms(s) {
				if strings.Contains(text, form) {
					t.Errorf("%s holds the secret %q as %q", where, s, form)
				}
			}
		}
	}
	if strings.Contains(d.Log(), token) || strings.Contains(d.Log(), rogue) {
		t.Errorf("the log holds a token:\n%s", d.Log())
	}
	if !strings.Contains(d.Log(), "run_id=own") {
		t.Errorf("the log does not tell of the run:\n%s", d.Log())
	}
}

// forms returns the ways in which a secret could be written down.
func forms(s string) []string {
	all := []string{s}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // bytes, on which it depends; the ends mix with the neighbours
			text := enc.EncodeToString([]byte("::"[:before] + s))
			all = append(all, text[4:len(text)/4*4-4])
		}
	}
	return append(all, escapes(s)...)
}

func TestFormsFindWhatIsWrittenDown(t *testing.T) {
	const s = "granted/secret+of=the test"
	for name, text := range map[string]string{
		"in clear": "x" + s, "for a URL": url.QueryEscape("a=" + s), "as Basic": base64.StdEncoding.EncodeToString([]byte("me:" + s + "!")),
		"as Bearer": base64.URLEncoding.EncodeToString([]byte("Bearer " + s)), "in JSON": `{"secret":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`,
	} {
		if !slices.ContainsFunc(forms(s), func(form string) bool { return strings.Contains(text, form) }) {
			t.Errorf("forms does not find a secret %s: %q", name, text)
		}
	}
}

// addSealed adds the files of credentials, in which there must be nothing either.
func addSealed(t *testing.T, texts map[string]string, home string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(config.CredentialsDir(home), "*.sealed"))
	if err != nil || len(all) == 0 {
		t.Fatalf("there is no credential in %s, %v", home, err)
	}
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(data)
	}
}

func TestABrokenProviderDoesNotStandInTheWayOfAGrant(t *testing.T) {
	d, origin := demo(t)
	d.Grant("demo", "first-secret")
	d.Start()
	c := d.HTTPClient(d.Register(demoRun(origin)))
	d.Provider("broken", "name: [")
	d.Grant("demo", "second-secret") // fails the test if the daemon does not take it
	if _, body, _ := get(t, c, "https://"+origin+"/"); body != "Bearer second-secret" {
		t.Errorf("the origin saw %q, want the new secret", body)
	}
	if h, err := d.Client.Health(t.Context()); err != nil || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "broken.yaml") {
		t.Errorf("Health = %+v, %v, want the broken provider as a problem", h, err)
	}
}
