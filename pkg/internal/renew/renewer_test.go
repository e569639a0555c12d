package renew_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/renew"
)

// newStore returns the store of a new home with a credential g.
func newStore(tb testing.TB, r *credential.Renewal) *credential.FileStore {
	tb.Helper()
	home := tb.TempDir()
	dir := filepath.Join(home, "credentials")
	keys := credential.NewKeyChain(credential.KeyOptions{Home: home, Credentials: dir, Prefer: credential.KeyInFile})
	if err := keys.Unlock(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	s, err := keys.Store(dir)
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	c := &credential.Credential{Grant: "g", Secret: "old-secret", CreatedAt: now.Add(-time.Hour), ExpiresAt: now, Renewal: r}
	if err := s.Put(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
	return s
}

func stored(tb testing.TB, s *credential.FileStore) *credential.Credential {
	tb.Helper()
	c, err := s.Get(tb.Context(), "g")
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// renewOnce renews g and returns what is stored then.
func renewOnce(tb testing.TB, r renew.Renewer) (*credential.Credential, error) {
	tb.Helper()
	s := r.Store.(*credential.FileStore)
	_, err := r.Renew(tb.Context(), "g", stored(tb, s).Fingerprint())
	return stored(tb, s), err
}

func TestOAuth2(t *testing.T) {
	const grant = `grant_type=refresh_token&refresh_token=old-refresh`
	for _, tt := range []struct {
		name    string
		change  func(*credential.Renewal)
		status  int
		answer  string
		sent    string // the body that the server gets; "" for any
		auth    bool   // the client is in Authorization
		secret  credential.Secret
		refresh credential.Secret
		class   renew.Class
		err     string // in the error
	}{
		{
			"a rotated token takes the place of the one that was spent", nil, 200,
			`{"access_token":"new-secret","token_type":"Bearer","refresh_token":"new-refresh","expires_in":3600}`,
			"client_id=id&" + grant, false, "new-secret", "new-refresh", 0, "",
		},
		{
			"a token that is not rotated stays", nil, 200, `{"access_token":"new-secret","expires_in":"3600"}`,
			"", false, "new-secret", "old-refresh", 0, "",
		},
		{
			"a client with a secret shows it in the body", func(r *credential.Renewal) { r.ClientSecret = "client-secret" }, 200,
			`{"access_token":"new-secret"}`, "client_id=id&client_secret=client-secret&" + grant, false, "new-secret", "old-refresh", 0, "",
		},
		{
			"or in Authorization", func(r *credential.Renewal) {
				r.ClientSecret, r.ClientAuth = "client-secret", credential.ClientAuthBasic
			}, 200,
			`{"access_token":"new-secret"}`, grant, true, "new-secret", "old-refresh", 0, "",
		},
		{
			"the server that the token is for is named", func(r *credential.Renewal) { r.Resource = "https://mcp.example/mcp" }, 200,
			`{"access_token":"new-secret","token_type":"Bearer"}`,
			"client_id=id&code=&grant_type=refresh_token&refresh_token=old-refresh&resource=https%3A%2F%2Fmcp.example%2Fmcp", false, "new-secret", "old-refresh", 0, "",
		},
		{"a grant that is not taken is final", nil, 400, `{"error":"invalid_grant","error_description":"old-refresh"}`, "", false, "old-secret", "old-refresh", renew.Final, "400 invalid_grant; run `moat grant g` again"},
		{"a server that is down is not", nil, 503, `down old-refresh`, "", false, "old-secret", "old-refresh", renew.Retry, "503 Service Unavailable"},
		{"an answer without a token is a failure", nil, 200, `{}`, "", false, "old-secret", "old-refresh", renew.Retry, "none of OAuth 2"},
		{"a redirect is not followed", nil, 307, ``, "", false, "old-secret", "old-refresh", renew.Retry, "307"},
		{"nothing goes out in clear", func(r *credential.Renewal) { r.TokenURL = "http://192.0.2.1/token" }, 0, "", "", false, "old-secret", "old-refresh", renew.Final, "not https"},
		{"without a refresh token there is nothing to send", func(r *credential.Renewal) { r.RefreshToken = "" }, 0, "", "", false, "old-secret", "", renew.Final, "no refresh token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int32
			var sent string
			var auth bool
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, _ := io.ReadAll(r.Body)
				sent = string(body)
				_, _, auth = r.BasicAuth()
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.answer)
			}))
			defer srv.Close()
			how := &credential.Renewal{Kind: credential.RenewalOAuth2, RefreshToken: "old-refresh", TokenURL: srv.URL, ClientID: "id"}
			if tt.change != nil {
				tt.change(how)
			}
			c, err := renewOnce(t, renew.Renewer{Store: newStore(t, how)})
			if !c.Secret.Equal(tt.secret) || !c.Renewal.RefreshToken.Equal(tt.refresh) {
				t.Errorf("stored: %s, %s", c.Secret.Reveal(), c.Renewal.RefreshToken.Reveal())
			}
			if tt.sent != "" && sent != tt.sent || auth != tt.auth {
				t.Errorf("sent %q, in Authorization: %t; want %q, %t", sent, auth, tt.sent, tt.auth)
			}
			if want := min(tt.status, 1); int(calls.Load()) != want {
				t.Errorf("the token was sent %d times, want %d", calls.Load(), want)
			}
			checkError(t, err, tt.err, tt.class)
		})
	}
}

func checkError(t *testing.T, err error, want string, class renew.Class) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("error: %v", err)
		}
		return
	}
	e, ok := errors.AsType[*renew.Error](err)
	if !ok || !strings.Contains(e.Text, want) || e.Class != class {
		t.Errorf("error: %v; want class %d and %q", err, class, want)
	}
	if err != nil && (strings.Contains(err.Error(), "refresh-") || strings.Contains(err.Error(), "old-refresh") || strings.Contains(err.Error(), "hush")) {
		t.Errorf("a secret is in the error: %v", err)
	}
}

func TestCommand(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         credential.Secret
		err          string
	}{
		{"what it prints is the secret", "echo ' new-secret '", "new-secret", ""},
		{"what it says on standard error is not shown", "echo hush >&2; exit 3", "old-secret", "exit status 3"},
		{"nothing is no secret", "true", "old-secret", "prints nothing"},
		{"too much is no secret", "head -c 70000 /dev/zero | tr '\\0' x", "old-secret", "more than 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, &credential.Renewal{Kind: credential.RenewalCommand, Command: []string{"/bin/sh", "-c", tt.script}})
			c, err := renewOnce(t, renew.Renewer{Store: s})
			if !c.Secret.Equal(tt.want) {
				t.Errorf("stored: %q, want %q", c.Secret.Reveal(), tt.want.Reveal())
			}
			if life := c.ExpiresAt.Sub(c.RefreshedAt); tt.err == "" && (life < 59*time.Minute || life > 61*time.Minute) {
				t.Errorf("it lives for %v, want the hour of the one before", life)
			}
			checkError(t, err, tt.err, renew.Retry)
		})
	}
}

func TestACommandEndsWithTheDaemon(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	s := newStore(t, &credential.Renewal{Kind: credential.RenewalCommand, Command: []string{"sleep", "1000"}})
	_, err := renewOnce(t, renew.Renewer{Store: s, Ending: gone})
	checkError(t, err, "has not ended", renew.Retry)
}

func TestGitHubApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		i := strings.LastIndex(token, ".")
		sum := sha256.Sum256([]byte(token[:max(i, 0)]))
		sig, _ := base64.RawURLEncoding.DecodeString(token[i+1:])
		if r.URL.Path != "/app/installations/42/access_tokens" || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]any{"token": "ghs_new", "expires_at": end})
	}))
	defer srv.Close()
	for _, tt := range []struct {
		name, key, installation string
		want                    credential.Secret
		err                     string
	}{
		{"the app's key signs for a token", string(text), "42", "ghs_new", ""},
		{"another installation is final", string(text), "43", "old-secret", "rejected: the private key is not one of this app"},
		{"what is no key", "hush", "42", "old-secret", "the private key is no PEM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, &credential.Renewal{Kind: credential.RenewalGitHubApp, AppID: "7", InstallationID: tt.installation, TokenURL: srv.URL + "/app/installations/" + tt.installation + "/access_tokens", PrivateKey: credential.Secret(tt.key)})
			c, err := renewOnce(t, renew.Renewer{Store: s})
			if !c.Secret.Equal(tt.want) || tt.err == "" && !c.ExpiresAt.Equal(end) {
				t.Errorf("stored: %q until %v, want %q until %v", c.Secret.Reveal(), c.ExpiresAt, tt.want.Reveal(), end)
			}
			checkError(t, err, tt.err, renew.Final)
		})
	}
}

// Of many renewers, as of many processes, one spends the token; the others find what it has stored.
func TestManyRenewersSpendOneToken(t *testing.T) {
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"new-secret","refresh_token":"r2","expires_in":60}`)
	}))
	defer srv.Close()
	s := newStore(t, &credential.Renewal{Kind: credential.RenewalOAuth2, RefreshToken: "r1", TokenURL: srv.URL})
	old := stored(t, s).Fingerprint()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := renew.Renewer{Store: s}
			reply, err := r.Ask(t.Context(), renew.Request{Grant: "g", Old: old})
			if err != nil || reply.Failure != "" || reply.Fingerprint == old {
				t.Errorf("Ask = %+v, %v", reply, err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("the token was sent %d times, want once", calls.Load())
	}
}

// FuzzTokenAnswer: whatever a token endpoint answers, what is stored is the old
// credential as it was, or a new one that is not empty; and no error shows the answer.
func FuzzTokenAnswer(f *testing.F) {
	f.Add(200, "application/json", `{"access_token":"a","refresh_token":"b","expires_in":1}`)
	f.Add(200, "text/plain", `access_token=a&expires_in=-1`)
	f.Add(400, "application/json", `{"error":"invalid_grant","error_description":"MARK"}`)
	f.Add(200, "application/json", `{"access_token":{"MARK":1}}`)
	var status int
	var kind, answer string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	f.Cleanup(srv.Close)
	f.Fuzz(func(t *testing.T, code int, contentType, body string) {
		status, kind, answer = 200+(code%400+400)%400, strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, contentType), body
		s := newStore(t, &credential.Renewal{Kind: credential.RenewalOAuth2, RefreshToken: "r1", TokenURL: srv.URL})
		before := stored(t, s)
		after, err := renewOnce(t, renew.Renewer{Store: s})
		if err != nil && !after.Equal(*before) {
			t.Errorf("after %v, another credential is stored", err)
		}
		if err == nil && (after.Secret == "" || after.Renewal.RefreshToken == "") {
			t.Error("a credential without its secrets is stored")
		}
		if err != nil && len(body) > 12 && strings.Contains(err.Error(), body) {
			t.Errorf("the answer is in the error: %v", err)
		}
	})
}
