// Package oauthtest is an MCP server that wants a login, with the authorization
// server that it names, for tests. It takes nothing on trust: PKCE, redirects,
// resources, and codes and refresh tokens that count once.
package oauthtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A Server serves all of it, below the host that it is asked at. Its fields are
// set before the first request; its methods are safe for concurrent use.
type Server struct {
	Lifetime       time.Duration // of an access token; 0 means an hour
	Confidential   bool          // clients get a secret, and show it in a header
	NoRegistration bool
	NoMetadata     bool                                         // of the resource: the server is of the time before there were any
	Device         bool                                         // it offers the device flow
	Change         func(document string, fields map[string]any) // of the metadata, before they are sent; nil changes nothing

	mu      sync.Mutex
	secrets []string
	clients map[string]client
	codes   map[string]grant // codes, and refresh tokens
	tokens  map[string]time.Time
	faults  []string
}

type client struct{ secret, redirect string }

type grant struct {
	client, redirect, challenge, resource, scope string
	used                                         bool
}

// Secrets returns all that was issued and nobody may find: tokens, codes and the
// secrets of clients.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

// Faults returns what clients did that they must not.
func (s *Server) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// ServeHTTP serves the documents, the endpoints of the authorization server, and
// /mcp.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base := "http://" + r.Host
	if r.TLS != nil {
		base = "https://" + r.Host
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /.well-known/oauth-protected-resource/mcp":
		s.resource(w, base)
	case "GET /.well-known/oauth-authorization-server":
		s.server(w, base)
	case "POST /register":
		s.register(w, r)
	case "GET /authorize":
		s.authorize(w, r, base)
	case "POST /token":
		s.token(w, r)
	case "POST /device":
		s.device(w, r, base)
	case "POST /mcp", "GET /mcp", "DELETE /mcp":
		s.mcp(w, r, base)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) resource(w http.ResponseWriter, base string) {
	if s.NoMetadata {
		http.Error(w, "no", http.StatusNotFound)
		return
	}
	s.document(w, "resource", map[string]any{
		"resource": base + "/mcp", "authorization_servers": []string{base}, "scopes_supported": []string{"read", "write"},
	})
}

func (s *Server) server(w http.ResponseWriter, base string) {
	doc := map[string]any{
		"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
		"registration_endpoint": base + "/register", "code_challenge_methods_supported": []string{"S256"},
		"authorization_response_iss_parameter_supported": true, "token_endpoint_auth_methods_supported": []string{"none"},
	}
	if s.Confidential {
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic"}
	}
	if s.NoRegistration {
		delete(doc, "registration_endpoint")
	}
	if s.Device {
		doc["device_authorization_endpoint"] = base + "/device"
	}
	s.document(w, "server", doc)
}

func (s *Server) document(w http.ResponseWriter, name string, doc map[string]any) {
	if s.Change != nil {
		s.Change(name, doc)
	}
	reply(w, http.StatusOK, doc)
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		Redirects []string `json:"redirect_uris"`
		Auth      string   `json:"token_endpoint_auth_method"`
	}
	if err := json.NewDecoder(r.Body).Decode(&doc); err != nil || len(doc.Redirects) != 1 {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_redirect_uri"})
		return
	}
	id, c := rand.Text(), client{redirect: doc.Redirects[0]}
	answer := map[string]any{"client_id": id, "redirect_uris": doc.Redirects, "token_endpoint_auth_method": doc.Auth}
	if s.Confidential {
		c.secret = s.secret("client")
		answer["client_secret"] = c.secret
	}
	s.Know(id, c.secret, c.redirect)
	reply(w, http.StatusCreated, answer)
}

// Know makes a client that did not register itself; redirect "" means any of the
// loopback.
func (s *Server) Know(id, secret, redirect string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil {
		s.clients = map[string]client{}
	}
	s.clients[id] = client{secret, redirect}
}

// authorize agrees at once, as if a person had logged in.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, base string) {
	q := r.URL.Query()
	s.mu.Lock()
	c, ok := s.clients[q.Get("client_id")]
	s.mu.Unlock()
	to, err := url.Parse(q.Get("redirect_uri"))
	if !ok || err != nil || to.Hostname() != "127.0.0.1" || c.redirect != "" && c.redirect != to.String() {
		s.fault(w, "the client or its redirect is unknown")
		return
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("response_type") != "code" || len(q.Get("state")) < 20 {
		s.fault(w, "there is no PKCE, or no state that cannot be guessed")
		return
	}
	if !s.NoMetadata && q.Get("resource") != base+"/mcp" {
		s.fault(w, "the resource is "+q.Get("resource"))
		return
	}
	code := s.grant("code", grant{
		client: q.Get("client_id"), redirect: to.String(), challenge: q.Get("code_challenge"), resource: q.Get("resource"), scope: q.Get("scope"),
	})
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {base}}
	if q.Get("scope") == "denied" {
		back = url.Values{"error": {"access_denied"}, "error_description": {"the person said no"}, "state": {q.Get("state")}, "iss": {base}}
	}
	to.RawQuery = back.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound) //nolint:gosec // to this machine, see above
}

// secret makes one that is remembered.
func (s *Server) secret(kind string) string {
	text := fmt.Sprintf("oauthtest-%s-%s?/+&", kind, rand.Text()) // with what URLs and base64 write otherwise
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, text)
	return text
}

func (s *Server) grant(kind string, g grant) string {
	text := s.secret(kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codes == nil {
		s.codes = map[string]grant{}
	}
	s.codes[text] = g
	return text
}

// fault refuses, and remembers why.
func (s *Server) fault(w http.ResponseWriter, text string) {
	s.mu.Lock()
	s.faults = append(s.faults, text)
	s.mu.Unlock()
	reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": text})
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func reply(w http.ResponseWriter, status int, doc map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc) // to a client that may be gone
}
