package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/oauth"
	"github.com/moatd/moatd/pkg/internal/oauthtest"
)

func TestDiscover(t *testing.T) {
	for _, tt := range []struct {
		name string
		with *oauthtest.Server
		want string // of the error, "" for none
	}{
		{"what the server says of itself", &oauthtest.Server{}, ""},
		{"a server of the time before such metadata", &oauthtest.Server{NoMetadata: true}, ""},
		{"a server that passes off another's tokens", &oauthtest.Server{Change: func(doc string, f map[string]any) {
			if doc == "resource" {
				f["resource"] = "https://bank.example"
			}
		}}, `is of "https://bank.example"`},
		{"an authorization server that says it is another", &oauthtest.Server{Change: func(doc string, f map[string]any) {
			if doc == "server" {
				f["issuer"] = "https://bank.example"
			}
		}}, `is of issuer "https://bank.example"`},
		{"one without PKCE", &oauthtest.Server{Change: func(doc string, f map[string]any) { delete(f, "code_challenge_methods_supported") }}, "PKCE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mcp := start(t, tt.with)
			found, err := oauth.Discover(t.Context(), http.DefaultClient, mcp)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Discover: %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil || found.Resource != mcp || !strings.HasSuffix(found.Server.TokenURL, "/token") {
				t.Errorf("Discover = %+v, %v", found, err)
			}
		})
	}
}

func TestDiscoverErrors(t *testing.T) {
	asks := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	for _, tt := range []struct {
		name  string
		serve http.HandlerFunc
		is    error
		want  string
	}{
		{"a server that is open", func(http.ResponseWriter, *http.Request) {}, oauth.ErrOpen, "asks for no credential"},
		{"a server without any metadata", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				asks(w, r)
				return
			}
			http.NotFound(w, r)
		}, oauth.ErrNoOAuth, "has no metadata"},
		{"a site that answers everything with a page", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				asks(w, r)
				return
			}
			fmt.Fprint(w, "<html>welcome")
		}, oauth.ErrNoOAuth, "has no metadata"},
		{"a server that is elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
		}, nil, `answers 307 with "https://elsewhere.example/"`},
		{"a server that is broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, nil, "502 Bad Gateway"},
		{"metadata that lead to another host", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				asks(w, r)
				return
			}
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}, nil, "answers 302 Found"},
		{"metadata at a place without TLS", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="http://elsewhere.example/"`)
			asks(w, r)
		}, nil, "must be https"},
		{"metadata without an end", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				asks(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			for range 1 << 10 {
				fmt.Fprintf(w, "[%01000d", 1)
			}
		}, nil, "is no JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.serve)
			defer srv.Close()
			_, err := oauth.Discover(t.Context(), http.DefaultClient, srv.URL+"/mcp")
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Discover: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAServerThatRegistersNoClients(t *testing.T) {
	mcp := start(t, &oauthtest.Server{NoRegistration: true})
	found, err := oauth.Discover(t.Context(), http.DefaultClient, mcp)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = oauth.Register(t.Context(), http.DefaultClient, found.Server, "http://127.0.0.1:1/callback", nil); !errors.Is(err, oauth.ErrNoRegistration) {
		t.Errorf("Register: %v, want %v", err, oauth.ErrNoRegistration)
	}
}
