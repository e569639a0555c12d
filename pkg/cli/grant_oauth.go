package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/oauth"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// checkProviderLogin says why a person cannot log in at p.
func checkProviderLogin(p *providers.Provider, f loginFlags) error {
	l, ok := p.Login()
	switch {
	case !ok && p.Name() == "gemini":
		return errors.New("gemini takes API keys; for a login there is gemini-oauth")
	case !ok:
		return fmt.Errorf("%s does not say where to log in; its file would, as oauth", p.Name())
	case l.AuthURL == "":
		return fmt.Errorf("nobody but the programs of its service can log in for %s", p.Name())
	case f.clientID == "" && l.ClientID == "":
		return fmt.Errorf("%s needs a client of your own: make one at the service, for a desktop program, and give --client-id and --client-secret-file", p.Name())
	case f.clientID == "" && f.clientSecretFile != "":
		return errors.New("--client-secret-file needs --client-id")
	}
	return nil
}

// loginAt logs in where the provider says.
func (a *app) loginAt(ctx context.Context, p *providers.Provider, name string, f loginFlags) (*credential.Credential, error) {
	l, _ := p.Login() // checkLogin has seen it
	c, err := namedClient(f)
	if err != nil {
		return nil, err
	}
	if c.ID == "" {
		c.ID = l.ClientID
	}
	how := oauth.How{AuthURL: l.AuthURL, TokenURL: l.TokenURL, Client: c, Scopes: l.Scopes, Params: l.Params}
	if len(f.loginScopes) > 0 {
		how.Scopes = f.loginScopes
	}
	client, done, err := a.httpClient()
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, oauth.LoginLimit, errLoginLimit)
	defer cancel()
	cb, err := oauth.Listen(ctx, f.callbackPort)
	if err != nil {
		return nil, err
	}
	defer cb.Close() // which Wait has done, if it came to that
	tokens, err := a.byBrowser(ctx, client, how, cb, f)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("grant %s: %w", name, err)
	}
	return loginOf(name, tokens, how), nil
}

var errLoginLimit = errors.New("nobody has logged in within 5 minutes")

// claudeCode takes the login of Claude Code from its file.
func (a *app) claudeCode(p *providers.Provider, name string) (*credential.Credential, error) {
	path := filepath.Join(a.process.UserHome, ".claude", ".credentials.json")
	text, err := readFile(path)
	if err != nil {
		return nil, hinted{fmt.Errorf("read the login of Claude Code: %w", err), "log in with claude first; on macOS it keeps its login in the Keychain: use claude setup-token, and moat grant claude"}
	}
	tokens, scopes, err := parseClaudeCode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read the login of Claude Code: %s: %w", path, err)
	}
	l, ok := p.Login()
	if !ok {
		return nil, errors.New("your provider claude does not say, as oauth, where its tokens are renewed")
	}
	c := loginOf(name, tokens, oauth.How{TokenURL: l.TokenURL, Client: oauth.Client{ID: l.ClientID}, Scopes: scopes})
	c.Source = "claude-code"
	return c, nil
}

// parseClaudeCode reads the file of Claude Code; its errors show nothing of it.
func parseClaudeCode(data []byte) (oauth.Tokens, []string, error) {
	var doc struct {
		Login struct {
			Access    string   `json:"accessToken"`
			Refresh   string   `json:"refreshToken"`
			ExpiresAt int64    `json:"expiresAt"` // ms since 1970
			Scopes    []string `json:"scopes"`
		} `json:"claudeAiOauth"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return oauth.Tokens{}, nil, errors.New("it is no JSON of a login")
	}
	l := doc.Login
	if l.Access == "" || l.Refresh == "" {
		return oauth.Tokens{}, nil, errors.New("it has no login with accessToken and refreshToken; log in with claude first")
	}
	t := oauth.Tokens{Access: credential.Secret(l.Access), Refresh: credential.Secret(l.Refresh)}
	if l.ExpiresAt > 0 {
		t.ExpiresAt = time.UnixMilli(l.ExpiresAt)
	}
	return t, l.Scopes, nil
}
