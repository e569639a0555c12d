package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/oauth"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// loginFlags say where to log in, and as which client.
type loginFlags struct {
	url              string // of the MCP server to log in to
	oauth            bool   // log in where the provider says
	claudeCode       bool   // take what Claude Code has logged in with
	clientID         string // "" means that a client is made
	clientSecretFile string
	loginScopes      []string // nil means those that the server asks for
	callbackPort     int      // 0 means any
	noBrowser        bool
	device           bool
}

func (f *loginFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "url", "", "log in to the MCP server at the `URL`")
	flags.BoolVar(&f.oauth, "oauth", false, "log in where the provider says, as gemini-oauth does")
	flags.BoolVar(&f.claudeCode, "from-claude-code", false, "take the login of Claude Code on this machine, for claude")
	flags.StringVar(&f.clientID, "client-id", "", "the `id` of your client, for a server that makes none by itself")
	flags.StringVar(&f.clientSecretFile, "client-secret-file", "", "the `file` with the secret of your client")
	flags.StringArrayVar(&f.loginScopes, "scope", nil, "what the login is to permit, a `scope` of the server's; may be repeated")
	flags.IntVar(&f.callbackPort, "callback-port", 0, "the `port` of this machine that the browser comes back to (default any)")
	flags.BoolVar(&f.noBrowser, "no-browser", false, "open no browser, print the address alone")
	flags.BoolVar(&f.device, "device", false, "log in on another machine, by a code that is typed there")
}

// begun reports whether there is a login, and configured whether a flag says how.
func (f loginFlags) begun() bool { return f.url != "" || f.oauth || f.claudeCode }

func (f loginFlags) configured() bool {
	return f.clientID+f.clientSecretFile != "" || len(f.loginScopes) > 0 || f.callbackPort != 0 || f.noBrowser || f.device
}

func (f grantFlags) checkLogin(p *providers.Provider) error {
	l := f.loginFlags
	switch {
	case !l.begun() && l.configured():
		return errors.New("--client-id, --client-secret-file, --scope, --callback-port, --no-browser and --device are for a login, which --url or --oauth begins")
	case !l.begun():
		return nil
	case l.url != "" && (l.oauth || l.claudeCode) || l.oauth && l.claudeCode:
		return errors.New("only one of --url, --oauth and --from-claude-code can say where to log in")
	case l.url != "" && p.Name() != "mcp":
		return fmt.Errorf("--url is for MCP servers, grants such as mcp:linear, and not for %s", p.Name())
	case l.claudeCode && (p.Name() != "claude" || l.configured()):
		return errors.New("--from-claude-code is for claude, and goes with none of the flags of a login")
	case l.oauth && l.device:
		return errors.New("--device goes with --url alone")
	case l.oauth:
		if err := checkProviderLogin(p, l); err != nil {
			return err
		}
	}
	switch {
	case f.env+f.file+f.command != "" || f.expiresIn > 0:
		return errors.New("what a login ends with comes from the server: it has no other source, and the server says when it expires")
	case l.clientID == "" && l.clientSecretFile != "":
		return errors.New("--client-secret-file needs --client-id")
	case l.callbackPort < 0 || l.callbackPort > 65535:
		return errors.New("--callback-port is no port: it must be 1 to 65535, or 0 for any")
	}
	return nil
}

// loggedIn returns the credential that a login ends with.
func (a *app) loggedIn(ctx context.Context, p *providers.Provider, name string, f loginFlags) (*credential.Credential, error) {
	switch {
	case f.claudeCode:
		return a.claudeCode(p, name)
	case f.oauth:
		return a.loginAt(ctx, p, name, f)
	}
	return a.loginMCP(ctx, name, f)
}

// loginMCP logs in to an MCP server.
func (a *app) loginMCP(ctx context.Context, name string, f loginFlags) (*credential.Credential, error) {
	client, done, err := a.httpClient()
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := oauth.Discover(ctx, client, f.url)
	switch {
	case errors.Is(err, oauth.ErrOpen):
		return nil, hinted{fmt.Errorf("grant %s: %w", name, err), "runs can use it without a grant"}
	case errors.Is(err, oauth.ErrNoOAuth):
		return nil, hinted{fmt.Errorf("grant %s: %w", name, err), "give a token that you have made at the service: moat grant " + name + ", without --url"}
	case err != nil:
		return nil, fmt.Errorf("grant %s: %w", name, err)
	}
	if len(f.loginScopes) > 0 {
		found.Scopes = f.loginScopes
	}
	tokens, how, err := a.tokens(ctx, client, found, f)
	if err != nil {
		return nil, fmt.Errorf("grant %s: %w", name, err)
	}
	return loginOf(name, tokens, how), nil
}

func loginOf(name string, tokens oauth.Tokens, how oauth.How) *credential.Credential {
	return &credential.Credential{
		Grant: name, Secret: tokens.Access, Source: "login", CreatedAt: time.Now(), ExpiresAt: tokens.ExpiresAt, Renewal: how.Renewal(tokens),
	}
}

// tokens has the person log in, and says how.
func (a *app) tokens(ctx context.Context, client *http.Client, found oauth.Found, f loginFlags) (oauth.Tokens, oauth.How, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, oauth.LoginLimit, errLoginLimit)
	defer cancel()
	cb, err := oauth.Listen(ctx, f.callbackPort)
	if err != nil {
		return oauth.Tokens{}, oauth.How{}, err
	}
	defer cb.Close() // which Wait has done, if it came to that
	c, err := clientOf(ctx, client, found, cb, f)
	if err != nil {
		return oauth.Tokens{}, oauth.How{}, err
	}
	how := found.How(c)
	var tokens oauth.Tokens
	if f.device {
		tokens, err = a.byCode(ctx, client, how)
	} else {
		tokens, err = a.byBrowser(ctx, client, how, cb, f)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return tokens, how, err
}

// clientOf returns the client that the person has named, or else makes one.
func clientOf(ctx context.Context, client *http.Client, found oauth.Found, cb *oauth.Callback, f loginFlags) (oauth.Client, error) {
	if f.clientID == "" {
		c, err := oauth.Register(ctx, client, found.Server, cb.URL(), found.Scopes)
		if errors.Is(err, oauth.ErrNoRegistration) {
			err = hinted{err, fmt.Sprintf("make a client there that is sent back to %s, and give --client-id with --callback-port %d", cb.URL(), cb.Port())}
		}
		return c, err
	}
	c, err := namedClient(f)
	if err != nil || c.Secret == "" {
		return c, err
	}
	if !slices.Contains(found.Server.ClientAuth, "client_secret_post") {
		c.Auth = credential.ClientAuthBasic
	}
	return c, nil
}

// namedClient returns the client that the person has named.
func namedClient(f loginFlags) (oauth.Client, error) {
	c := oauth.Client{ID: f.clientID}
	if f.clientSecretFile == "" {
		return c, nil
	}
	text, err := readFile(f.clientSecretFile)
	if err != nil {
		return c, fmt.Errorf("read the client's secret: %w", err)
	}
	if c.Secret = providers.TrimSecret(text); c.Secret == "" {
		return c, fmt.Errorf("the file %s is empty; it must hold the client's secret", f.clientSecretFile)
	}
	return c, nil
}

// byCode has the person type a code on another machine.
func (a *app) byCode(ctx context.Context, client *http.Client, how oauth.How) (oauth.Tokens, error) {
	d, err := oauth.NewDevice(ctx, client, how)
	if err != nil {
		return oauth.Tokens{}, err
	}
	fmt.Fprintf(a.process.Stderr, "Open this address on any machine, and type the code %s there:\n\n  %s\n\n", d.UserCode, d.URL)
	return d.Wait(ctx, client)
}
