package providers

import (
	"maps"
	"slices"
)

// A Login says where a person logs in to get a credential, and where it is
// renewed (OAuth 2).
type Login struct {
	AuthURL  string            // "" if nobody but the service's own programs can log in
	TokenURL string            // https, or on this machine
	ClientID string            // "" if each person has to make a client
	Scopes   []string          // nil for none
	Params   map[string]string // of the address that is opened, beside those of OAuth
}

// Login returns how a person logs in; false if there is no such way.
func (p *Provider) Login() (Login, bool) {
	if p.login == nil {
		return Login{}, false
	}
	l := *p.login
	l.Scopes, l.Params = slices.Clone(l.Scopes), maps.Clone(l.Params)
	return l, true
}

// login reads "oauth".
func (v value) login() *Login {
	if v.absent() {
		return nil
	}
	f := v.fields("auth_url", "token_url", "client_id", "scopes", "params")
	l := &Login{
		AuthURL: f["auth_url"].endpoint(), TokenURL: f["token_url"].endpoint(), ClientID: f["client_id"].oneLine(), Params: map[string]string{},
	}
	if f["token_url"].absent() {
		f["token_url"].fail("must be there: tokens come from it")
	}
	for _, s := range f["scopes"].list() {
		l.Scopes = append(l.Scopes, s.oneLine())
	}
	names, values := f["params"].pairs()
	for i, name := range names {
		if slices.Contains([]string{"client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method"}, name) {
			values[i].fail("is set by moat itself")
		}
		l.Params[name] = values[i].oneLine()
	}
	return l
}

// endpoint reads a URL that secrets are sent to, "" if there is none.
func (v value) endpoint() string {
	if v.absent() {
		return ""
	}
	text, _, _ := v.urlFor("secrets are") // "" where it leads nowhere
	return text
}
