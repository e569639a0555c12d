package oauthtest

import (
	"net/http"
	"net/url"
	"time"
)

// token exchanges codes and refresh tokens, each of which counts once.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, "the form is bad")
		return
	}
	id, ok := s.client(r)
	if !ok {
		s.fault(w, "the client does not show itself")
		return
	}
	f := r.PostForm
	key := map[string]string{
		"authorization_code": "code", "refresh_token": "refresh_token", "urn:ietf:params:oauth:grant-type:device_code": "device_code",
	}[f.Get("grant_type")]
	g, ok := s.take(f.Get(key))
	switch {
	case key == "" || !ok || g.client != id:
		s.fault(w, "the "+key+" is unknown, or was used before")
	case key == "code" && (g.redirect != f.Get("redirect_uri") || g.challenge != challengeOf(f.Get("code_verifier"))):
		s.fault(w, "the code is of another browser")
	case g.resource != f.Get("resource"):
		s.fault(w, "the token is for "+g.resource+", and not for "+f.Get("resource"))
	default:
		s.issue(w, g)
	}
}

// client returns who asks.
func (s *Server) client(r *http.Request) (id string, ok bool) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, basic := r.BasicAuth(); basic {
		id, _ = url.QueryUnescape(user) // RFC 6749, 2.3.1
		secret, _ = url.QueryUnescape(password)
	} else if s.Confidential {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.clients[id]
	return id, known && c.secret == secret
}

// take uses a code up.
func (s *Server) take(code string) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.codes[code]
	if !ok || g.used {
		return g, false
	}
	used := g
	used.used = true
	s.codes[code] = used
	return g, true
}

func (s *Server) issue(w http.ResponseWriter, g grant) {
	life := s.Lifetime
	if life == 0 {
		life = time.Hour
	}
	access := s.secret("access")
	s.mu.Lock()
	if s.tokens == nil {
		s.tokens = map[string]time.Time{}
	}
	s.tokens[access] = time.Now().Add(life)
	s.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "bearer", "expires_in": int(life.Seconds()), "refresh_token": s.grant("refresh", g), "scope": g.scope,
	})
}

// device agrees at once, as if a person had typed the code.
func (s *Server) device(w http.ResponseWriter, r *http.Request, base string) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, "the form is bad")
		return
	}
	code := s.grant("device", grant{client: r.PostForm.Get("client_id"), resource: r.PostForm.Get("resource"), scope: r.PostForm.Get("scope")})
	reply(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": "WDJB-MJHT", "verification_uri": base + "/activate", "expires_in": 600, "interval": 1,
	})
}

// Good reports whether an access token is one that counts.
func (s *Server) Good(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.tokens[token]
	return ok && time.Now().Before(end)
}
