package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/moatd/moatd/pkg/internal/oauth"
	"github.com/moatd/moatd/pkg/internal/oauthtest"
)

// start starts s and returns the URL of its MCP server.
func start(t *testing.T, s *oauthtest.Server) (mcp string) {
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

// browse does what a browser does, and returns what it shows at last.
func browse(t *testing.T, where string) (status int, text string) {
	t.Helper()
	res, err := http.Get(where)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(data)
}

// how returns how to log in to the server at mcp, with a client that it has made.
func how(t *testing.T, mcp, redirect string) oauth.How {
	t.Helper()
	found, err := oauth.Discover(t.Context(), http.DefaultClient, mcp)
	if err != nil {
		t.Fatal(err)
	}
	c, err := oauth.Register(t.Context(), http.DefaultClient, found.Server, redirect, found.Scopes)
	if err != nil {
		t.Fatal(err)
	}
	return found.How(c)
}

func callback(t *testing.T) *oauth.Callback {
	t.Helper()
	cb, err := oauth.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cb.Close() })
	return cb
}

func TestALoginByABrowser(t *testing.T) {
	for name, s := range map[string]*oauthtest.Server{
		"with a public client":                         {},
		"with a client that has a secret":              {Confidential: true},
		"at a server without metadata of its own":      {NoMetadata: true},
		"at a server that has the device flow as well": {Device: true},
	} {
		t.Run(name, func(t *testing.T) {
			mcp := start(t, s)
			cb := callback(t)
			l, err := oauth.NewLogin(how(t, mcp, cb.URL()), cb.URL())
			if err != nil {
				t.Fatal(err)
			}
			shown := make(chan string, 1)
			go func() {
				_, text := browse(t, l.URL())
				shown <- text
			}()
			code, err := cb.Wait(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if text := <-shown; !strings.Contains(text, "You can close this page") {
				t.Errorf("the browser shows %q", text)
			}
			got, err := l.Exchange(t.Context(), http.DefaultClient, code)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Good(got.Access.Reveal()) || got.Refresh == "" || time.Until(got.ExpiresAt) < 50*time.Minute {
				t.Errorf("Exchange = an access token %v, a refresh token %v, until %v", s.Good(got.Access.Reveal()), got.Refresh != "", got.ExpiresAt)
			}
			renew(t, s, l, got)
		})
	}
}

// renew renews twice, each time with the last refresh token.
func renew(t *testing.T, s *oauthtest.Server, l *oauth.Login, last oauth.Tokens) {
	t.Helper()
	for range 2 {
		next, err := oauth.Renew(t.Context(), http.DefaultClient, l.Renewal(last))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Good(next.Access.Reveal()) || next.Access == last.Access || next.Refresh == last.Refresh {
			t.Errorf("Renew returned what there was before")
		}
		last = next
	}
}

func TestAUsedRefreshTokenIsRefusedInWords(t *testing.T) {
	s := &oauthtest.Server{}
	srv := httptest.NewServer(s)
	defer srv.Close()
	cb := callback(t)
	l, err := oauth.NewLogin(how(t, srv.URL+"/mcp", cb.URL()), cb.URL())
	if err != nil {
		t.Fatal(err)
	}
	go browse(t, l.URL())
	code, err := cb.Wait(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Exchange(t.Context(), http.DefaultClient, code)
	if err != nil {
		t.Fatal(err)
	}
	r := l.Renewal(got)
	if _, err = oauth.Renew(t.Context(), http.DefaultClient, r); err != nil {
		t.Fatal(err)
	}
	_, err = oauth.Renew(t.Context(), http.DefaultClient, r)
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.ErrorCode != "invalid_request" || !strings.Contains(err.Error(), "renew the token: it answers 400 Bad Request: invalid_request") {
		t.Errorf("Renew: %v", err)
	}
	for _, secret := range s.Secrets() {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a secret")
		}
	}
}

func TestACallbackTakesOneAnswerOfItsLogin(t *testing.T) {
	login := func(t *testing.T, cb *oauth.Callback) *oauth.Login {
		t.Helper()
		l, err := oauth.NewLogin(oauth.How{
			AuthURL: "https://idp.example/authorize", TokenURL: "https://idp.example/token", Issuer: "https://idp.example", SaysIssuer: true,
		}, cb.URL())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, tt := range []struct {
		name   string
		change func(q url.Values)
		want   string // of the error; "" for none, "later" if it is turned away
	}{
		{"the answer that is meant", func(url.Values) {}, ""},
		{"another state is turned away", func(q url.Values) { q.Set("state", "guessed") }, "later"},
		{"no state is turned away", func(q url.Values) { q.Del("state") }, "later"},
		{"another issuer fails", func(q url.Values) { q.Set("iss", "https://evil.example") }, `of issuer "https://evil.example"`},
		{"no issuer fails where one is due", func(q url.Values) { q.Del("iss") }, `of issuer ""`},
		{"a refusal is told", func(q url.Values) { q.Set("error", "access_denied"); q.Set("error_description", "no\x1b[2J") }, "refused: access_denied no [2J"},
		{"no code fails", func(q url.Values) { q.Del("code") }, "has no code"},
		{"two codes fail", func(q url.Values) { q.Add("code", "b") }, "has no code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cb := callback(t)
			l := login(t, cb)
			at, err := url.Parse(l.URL())
			if err != nil {
				t.Fatal(err)
			}
			good := url.Values{"state": {at.Query().Get("state")}, "code": {"the-code"}, "iss": {"https://idp.example"}}
			bad, _ := url.ParseQuery(good.Encode())
			tt.change(bad)
			go func() {
				status, _ := browse(t, cb.URL()+"?"+bad.Encode())
				if tt.want == "later" {
					if status != http.StatusNotFound {
						t.Errorf("it is answered %d, want 404", status)
					}
					browse(t, cb.URL()+"?"+good.Encode())
				}
			}()
			code, err := cb.Wait(t.Context(), l)
			if tt.want == "" || tt.want == "later" {
				if err != nil || code != "the-code" {
					t.Errorf("Wait = %q, %v", code, err)
				}
				return
			}
			if !errors.Is(err, oauth.ErrDenied) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Wait: %v, want %q", err, tt.want)
			}
			if _, pasted := l.Pasted(cb.URL() + "?" + bad.Encode()); pasted == nil || pasted.Error() != err.Error() {
				t.Errorf("Pasted: %v, want %v", pasted, err)
			}
		})
	}
}

func TestACallbackWaitsNoLongerThanItsContext(t *testing.T) {
	cb := callback(t)
	l, err := oauth.NewLogin(oauth.How{AuthURL: "https://a.example", TokenURL: "https://a.example"}, cb.URL())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cb.Wait(ctx, l); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v, want %v", err, context.Canceled)
	}
}

func TestALoginByACode(t *testing.T) {
	s := &oauthtest.Server{Device: true}
	mcp := start(t, s)
	h := how(t, mcp, "http://127.0.0.1:1/callback")
	d, err := oauth.NewDevice(t.Context(), http.DefaultClient, h)
	if err != nil {
		t.Fatal(err)
	}
	if d.UserCode != "WDJB-MJHT" || !strings.HasSuffix(d.URL, "/activate") {
		t.Errorf("the person is shown %s and %s", d.URL, d.UserCode)
	}
	got, err := d.Wait(t.Context(), http.DefaultClient)
	if err != nil || !s.Good(got.Access.Reveal()) {
		t.Errorf("Wait: %v", err)
	}
}

func TestURLsThatSecretsMustNotBeSentTo(t *testing.T) {
	for _, tt := range []struct{ name, auth, token string }{
		{"tokens without TLS", "https://a.example", "http://a.example/token"},
		{"a login without TLS", "http://a.example", "https://a.example/token"},
		{"no URL for tokens", "https://a.example", ""},
		{"a URL with a password", "https://a.example", "https://u:p@a.example/"},
		{"a program", "file:///bin/sh", "https://a.example/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := oauth.NewLogin(oauth.How{AuthURL: tt.auth, TokenURL: tt.token}, "http://127.0.0.1:1/"); err == nil {
				t.Errorf("NewLogin takes it")
			}
		})
	}
}
