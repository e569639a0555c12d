package grants_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// A service answers validations over TLS and remembers the last one.
type service struct {
	host string
	v    grants.Validator
	last atomic.Pointer[http.Request]
}

func startService(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	s := new(service)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.last.Store(r)
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	s.v.Roots = x509.NewCertPool()
	s.v.Roots.AddCert(srv.Certificate())
	s.host = strings.TrimPrefix(srv.URL, "https://")
	return s
}

// provider returns a provider for the service; %s in its text is the host.
func (s *service) provider(t *testing.T, text string) *providers.Provider {
	t.Helper()
	p, err := providers.Parse("p.yaml", []byte("name: p\n"+strings.ReplaceAll(text, "%s", s.host)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const validated = "inject: [{hosts: ['%s'], prefix: 'Bearer '}]\nvalidate: {url: 'https://%s/me'}\n"

func TestValidateSendsWhatARunWouldSend(t *testing.T) {
	for _, tt := range []struct {
		name, provider, want string
	}{
		{"a header", validated, `GET /me "" map[Authorization:[Bearer s3cr3t]]`},
		{"Basic", "inject: [{hosts: ['%s'], basic_user: u}]\nvalidate: {url: 'https://%s/me'}", `GET /me "" map[Authorization:[Basic dTpzM2NyM3Q=]]`},
		{"a placeholder in the path", "substitute: [{hosts: ['%s'], placeholder: moat-token}]\nvalidate: {url: 'https://%s/botmoat-token/me'}", `GET /bots3cr3t/me "" map[]`},
		{
			"the credential of the path, and extra headers", "inject: [{hosts: ['%s']}, {hosts: ['%s'], paths: [/api], header: X-Token}]\n" +
				"extra_headers: [{hosts: ['%s'], name: X-Extra, value: v}]\nvalidate: {url: 'https://%s/api/me'}",
			`GET /api/me "" map[X-Extra:[v] X-Token:[s3cr3t]]`,
		},
		{
			"a body", "inject: [{hosts: ['%s']}]\nvalidate: {url: 'https://%s/q', method: POST, body: '{}', headers: {X-Mine: m}}",
			`POST /q "{}" map[Authorization:[s3cr3t] X-Mine:[m]]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startService(t, func(http.ResponseWriter, *http.Request) {})
			host, err := s.v.Validate(t.Context(), s.provider(t, tt.provider), "s3cr3t")
			if err != nil || host != s.host {
				t.Fatalf("Validate = %q, %v", host, err)
			}
			r := s.last.Load()
			for _, name := range []string{"Accept-Encoding", "User-Agent", "Content-Length", "Connection"} {
				r.Header.Del(name)
			}
			body, _ := io.ReadAll(r.Body)
			if got := fmt.Sprintf("%s %s %q %v", r.Method, r.URL, body, r.Header); got != tt.want {
				t.Errorf("the service saw %s, want %s", got, tt.want)
			}
		})
	}
}

func TestValidateTellsWhatTheAnswerMeans(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		rejects string
		want    error
		text    string
	}{
		{"success", 200, "", nil, ""},
		{"success without content", 204, "", nil, ""},
		{"unauthorized", 401, "", grants.ErrRejected, "answers 401 Unauthorized"},
		{"forbidden", 403, "", grants.ErrRejected, "answers 403 Forbidden"},
		{"a status of the provider's own", 400, ", rejects: [400]", grants.ErrRejected, "answers 400 Bad Request"},
		{"a status that the provider does not count", 403, ", rejects: [401]", grants.ErrNotValidated, "says nothing"},
		{"not found", 404, "", grants.ErrNotValidated, "answers 404 Not Found, which says nothing of the secret"},
		{"too many requests", 429, "", grants.ErrNotValidated, "answers 429"},
		{"an error of the service's", 503, "", grants.ErrNotValidated, "answers 503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startService(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) })
			text := strings.Replace(validated, "/me'", "/me'"+tt.rejects, 1)
			_, err := s.v.Validate(t.Context(), s.provider(t, text), "s3cr3t")
			if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Validate = %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

// The secret goes to one host, whatever that says, and is in no error.
func TestValidateFollowsNoRedirect(t *testing.T) {
	other := startService(t, func(http.ResponseWriter, *http.Request) {})
	s := startService(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+other.host+"/", http.StatusTemporaryRedirect)
	})
	_, err := s.v.Validate(t.Context(), s.provider(t, validated), "s3cr3t")
	if !errors.Is(err, grants.ErrNotValidated) || other.last.Load() != nil {
		t.Errorf("Validate = %v, and the other host was asked: %t", err, other.last.Load() != nil)
	}
}

func TestValidateShowsNoSecret(t *testing.T) {
	s := startService(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	p := s.provider(t, "substitute: [{hosts: ['%s'], placeholder: moat-token}]\nvalidate: {url: 'https://%s/botmoat-token/me'}")
	for _, tt := range []struct {
		name string
		gone bool // the user
		v    grants.Validator
	}{
		{"a connection that breaks", false, s.v},
		{"a certificate that nobody knows", false, grants.Validator{Roots: x509.NewCertPool()}},
		{"a user who has gone", true, s.v},
		{"a proxy that is none", false, grants.Validator{Proxy: func(u *url.URL) (*url.URL, error) { return nil, errors.New("no way to " + u.String()) }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.gone {
				cancel()
			}
			_, err := tt.v.Validate(ctx, p, "s3cr3t")
			if !errors.Is(err, grants.ErrNotValidated) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("Validate = %v, want ErrNotValidated and no secret", err)
			}
		})
	}
}

func TestValidateGoesThroughTheProxy(t *testing.T) {
	s := startService(t, func(http.ResponseWriter, *http.Request) {})
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer proxy.Close()
	v := s.v
	v.Proxy = func(*url.URL) (*url.URL, error) { return url.Parse(proxy.URL) }
	_, err := v.Validate(t.Context(), s.provider(t, validated), credential.Secret("s3cr3t"))
	if want := "CONNECT " + s.host; asked.Load() != want || !errors.Is(err, grants.ErrNotValidated) {
		t.Errorf("Validate = %v, and the proxy was asked %v; want %s", err, asked.Load(), want)
	}
}

// Every built-in provider that can be validated sends its secret on the way.
func TestValidationsOfBuiltinProviders(t *testing.T) {
	set, err := providers.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range set.Names() {
		t.Run(name, func(t *testing.T) {
			p, _ := set.Get(name)
			how, ok := p.Validation()
			if !ok {
				t.Skip("there is no way")
			}
			u, _ := url.Parse(how.URL)
			var asked atomic.Value
			v := grants.Validator{Proxy: func(to *url.URL) (*url.URL, error) {
				asked.Store(to.Host)
				return nil, errors.New("no Internet")
			}}
			_, err := v.Validate(t.Context(), p, "s3cr3t")
			if !errors.Is(err, grants.ErrNotValidated) || asked.Load() != u.Host {
				t.Errorf("Validate = %v, asked %v; want %s asked", err, asked.Load(), u.Host)
			}
		})
	}
}
