// Package oauth logs a person in: by a browser that comes back to this machine
// (authorization code with PKCE), or by a code that is typed on another one. It
// finds out where for a server of the Model Context Protocol, and renews tokens.
// What a server says is read by functions of values; the others do the asking.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/moatd/moatd/pkg/credential"
)

// How says where and as whom to log in. Its URLs must be https, or of this machine.
type How struct {
	AuthURL    string
	TokenURL   string
	DeviceURL  string // for [Device]; "" for none
	Client     Client
	Scopes     []string
	Resource   string            // the server that the tokens are for; "" for none
	Issuer     string            // that the answer must be of; "" where nobody said so
	SaysIssuer bool              // it names itself in each answer
	Params     map[string]string // more of the authorization URL, such as access_type; nil for none
}

// check says which URL is bad.
func (h How) check() error {
	for _, u := range []string{h.AuthURL, h.TokenURL, h.DeviceURL} {
		if _, err := safeURL(u); u != "" && err != nil {
			return err
		}
	}
	if h.TokenURL == "" {
		return errors.New("there is no URL for tokens")
	}
	return checkScopes(h.Scopes)
}

func (h How) config(redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: h.Client.ID, ClientSecret: h.Client.Secret.Reveal(), Scopes: h.Scopes, RedirectURL: redirect,
		Endpoint: oauth2.Endpoint{
			AuthURL: h.AuthURL, TokenURL: h.TokenURL, DeviceAuthURL: h.DeviceURL, AuthStyle: style(h.Client.Auth),
		},
	}
}

// style never guesses: a guess costs a second request, with a code that counts once.
func style(auth string) oauth2.AuthStyle {
	if auth == credential.ClientAuthBasic {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// A Login is one by a browser. It is for one use.
type Login struct {
	How

	redirect, state, verifier string
}

// NewLogin begins a login whose browser is sent back to redirect.
func NewLogin(how How, redirect string) (*Login, error) {
	if err := how.check(); err != nil {
		return nil, err
	}
	if how.AuthURL == "" {
		return nil, errors.New("there is no URL to log in at")
	}
	return &Login{how, redirect, oauth2.GenerateVerifier(), oauth2.GenerateVerifier()}, nil
}

// URL is where the person logs in. It has no secret in it.
func (l *Login) URL() string {
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(l.verifier)}
	for _, name := range slices.Sorted(maps.Keys(l.Params)) {
		opts = append(opts, oauth2.SetAuthURLParam(name, l.Params[name]))
	}
	return l.config(l.redirect).AuthCodeURL(l.state, append(opts, l.resource()...)...)
}

func (h How) resource() []oauth2.AuthCodeOption {
	if h.Resource == "" {
		return nil
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("resource", h.Resource)}
}

// Tokens are what a login or a renewal ends with.
type Tokens struct {
	Access    credential.Secret
	Refresh   credential.Secret // "" if there is none; of a renewal, the old one if there is no new one
	ExpiresAt time.Time         // zero if the server does not say
}

// Exchange gets the tokens for the code of the login.
func (l *Login) Exchange(ctx context.Context, client *http.Client, code string) (Tokens, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, careful(client))
	t, err := l.config(l.redirect).Exchange(ctx, code, append(l.resource(), oauth2.VerifierOption(l.verifier))...)
	if err != nil {
		return Tokens{}, failed("exchange the code for a token", err)
	}
	return tokens(t)
}

// Renewal returns what the next token is made of; nil if t has no refresh token.
func (h How) Renewal(t Tokens) *credential.Renewal {
	if t.Refresh == "" {
		return nil
	}
	return &credential.Renewal{
		Kind: credential.RenewalOAuth2, RefreshToken: t.Refresh, TokenURL: h.TokenURL, ClientID: h.Client.ID,
		ClientSecret: h.Client.Secret, ClientAuth: h.Client.Auth, Scopes: h.Scopes, Resource: h.Resource,
	}
}

// tokens takes what moat needs of a token, which must be one for Authorization:
// Bearer.
func tokens(t *oauth2.Token) (Tokens, error) {
	if t.Type() != "Bearer" {
		return Tokens{}, fmt.Errorf("the token is of type %.40q, and moat sends Bearer tokens alone", t.TokenType)
	}
	return Tokens{credential.Secret(t.AccessToken), credential.Secret(t.RefreshToken), t.Expiry}, nil
}

// failed returns an error of oauth2 without the answer that it holds, in which
// tokens may be; [oauth2.RetrieveError] can still be found in it.
func failed(what string, err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		code := ""
		if e.ErrorCode != "" {
			code = ": " + printable(e.ErrorCode+" "+e.ErrorDescription)
		}
		return refusal{fmt.Sprintf("%s: it answers %d %s%s", what, e.Response.StatusCode, http.StatusText(e.Response.StatusCode), code), e}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", what, u)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// refusal has its own words for the error in it.
type refusal struct {
	text string
	err  *oauth2.RetrieveError
}

func (r refusal) Error() string { return r.text }
func (r refusal) Unwrap() error { return r.err }
