package githubapp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/githubapp"
)

var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs1() credential.Secret {
	return credential.Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(appKey())}))
}

func pkcs8(t *testing.T, key any) credential.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return credential.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// verify checks a JWT the way GitHub does, and returns its claims.
func verify(t *testing.T, jwt string) (claims struct {
	Issuer   string `json:"iss"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Audience string `json:"aud"`
},
) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("the JWT has %d parts, want 3", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err = rsa.VerifyPKCS1v15(&appKey().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		t.Fatalf("the signature is bad: %v", err)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestJWT(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, key := range map[string]credential.Secret{"PKCS #1": pkcs1(), "PKCS #8": pkcs8(t, appKey())} {
		t.Run("a key as "+name+" signs for nine minutes", func(t *testing.T) {
			jwt, err := githubapp.JWT("12345", key, now)
			if err != nil {
				t.Fatal(err)
			}
			got := verify(t, jwt)
			if got.Issuer != "12345" || got.Issued != now.Unix()-60 || got.Expires != now.Unix()+540 {
				t.Errorf("claims are %+v", got)
			}
		})
	}
}

func TestJWTErrors(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, app string
		key       credential.Secret
		want      string
	}{
		{"a key that is no PEM", "1", "not-a-key-at-all", "is no PEM"},
		{"a key that is cut short", "1", pkcs1()[:200], "is no PEM"},
		{"a certificate", "1", credential.Secret(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), `has a "CERTIFICATE"`},
		{"a key of another kind", "1", pkcs8(t, other), "is not RSA"},
		{"an app with a name", "my app", pkcs1(), `app id "my app" is neither`},
		{"no app", "", pkcs1(), "is neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := githubapp.JWT(tt.app, tt.key, time.Now())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("JWT: %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), tt.key.Reveal()) {
				t.Errorf("the error shows the key")
			}
		})
	}
}

func TestTokenURL(t *testing.T) {
	for _, tt := range []struct{ name, api, installation, want, err string }{
		{"GitHub itself", "https://api.github.com", "77", "https://api.github.com/app/installations/77/access_tokens", ""},
		{"a GitHub of one's own", "https://git.example/api/v3/", "77", "https://git.example/api/v3/app/installations/77/access_tokens", ""},
		{"this machine, without TLS", "http://127.0.0.1:8080", "7", "http://127.0.0.1:8080/app/installations/7/access_tokens", ""},
		{"another machine, without TLS", "http://git.example", "7", "", "must be https"},
		{"an installation that is a path", "https://api.github.com", "../1", "", "is no number"},
		{"an API with a query", "https://api.github.com?x", "1", "", "a host alone"},
		{"an API with a user", "https://a@api.github.com", "1", "", "a host alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := githubapp.TokenURL(tt.api, tt.installation)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("TokenURL = %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestExchange(t *testing.T) {
	const good = `{"token":"ghs_token-of-the-installation","expires_at":"2030-01-02T03:04:05Z","permissions":{}}`
	for _, tt := range []struct {
		name     string
		status   int
		body     string
		want     string // of the error; "" for none
		rejected bool
	}{
		{"the token is returned with its end", 201, good, "", false},
		{"a key of another app is rejected", 401, `{}`, "the private key is not one of this app", true},
		{"an installation that is not there is rejected", 404, `{}`, "no such installation", true},
		{"a suspended one is rejected", 403, `{}`, "suspended", true},
		{"an answer of 500 says nothing of the app", 500, `{}`, "500 Internal Server Error", false},
		{"a redirect is not followed", 302, ``, "302 Found", false},
		{"an answer without a token is none", 201, `{"expires_at":"2030-01-02T03:04:05Z"}`, "has no token", false},
		{"an answer without an end is none", 201, `{"token":"ghs_token-of-the-installation"}`, "does not say when", false},
		{"what is no JSON is not shown", 201, `ghs_token-of-the-installation`, "no JSON", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				jwt, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				verify(t, jwt)
				if r.Method != http.MethodPost || r.URL.Path != "/app/installations/77/access_tokens" {
					t.Errorf("the request is %s %s", r.Method, r.URL.Path)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			defer srv.Close()
			where, err := githubapp.TokenURL(srv.URL, "77")
			if err != nil {
				t.Fatal(err)
			}
			how := &credential.Renewal{Kind: credential.RenewalGitHubApp, AppID: "12", InstallationID: "77", PrivateKey: pkcs1(), TokenURL: where}
			got, err := githubapp.Exchange(t.Context(), srv.Client(), how, time.Now())
			if tt.want == "" {
				if err != nil || got.Secret != "ghs_token-of-the-installation" || got.ExpiresAt.Year() != 2030 {
					t.Errorf("Exchange = %v, %v", got.ExpiresAt, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "ghs_") {
				t.Errorf("Exchange: %v, want %q", err, tt.want)
			}
			if errors.Is(err, githubapp.ErrRejected) != tt.rejected {
				t.Errorf("Exchange: %v, want rejected %v", err, tt.rejected)
			}
		})
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(string(pkcs1()))
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := githubapp.ParseKey(credential.Secret(text))
		if (key == nil) == (err == nil) {
			t.Fatalf("ParseKey = %v, %v", key != nil, err)
		}
	})
}
