package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// grantFlags are the flags of moat grant.
type grantFlags struct {
	secretFlags
	loginFlags
	appFlags

	noValidate bool
	expiresIn  time.Duration // 0 means that nothing is known of it
}

func (a *app) grantCommand() *cobra.Command {
	var f grantFlags
	cmd := &cobra.Command{
		Use:   "grant PROVIDER[:SCOPE]",
		Short: "Store a credential that runs may use",
		Long: `moat grant stores a credential, sealed, for moat run --grant. It asks for the
secret on a terminal, without showing it, and else reads standard input. Runs
that have the grant use the new secret from their next request on.

The service is asked whether the secret is good; one that it rejects is not
stored. Where it cannot be asked, the secret is stored with a warning.

A SCOPE says what the credential is for: github:org/repo and github:org are for
these paths alone, and a run may have several. For providers without such paths
it only tells one account from another: openai:work.

The command of --from-command is run by sh, now and again when the secret has
expired.

With --url there is a login instead: an MCP server is asked where, a browser is
opened there, and what comes back is renewed by the daemon from then on. Without
a browser here, the address can be opened anywhere; moat says how it ends then.
--oauth does so for a provider that names where to log in. --from-claude-code
takes the login of Claude Code, which it then has to share: renewed by one of
the two, it may end for the other, so log in to Claude Code again afterwards.

With --app-id the credential is that of an installation of a GitHub App, which
the daemon renews each hour with the app's private key.`,
		Example: `  moat grant github
  gh auth token | moat grant github
  moat grant openai --from-env OPENAI_API_KEY
  moat grant github:acme/app --from-command 'op read op://work/github/token'
  moat grant mcp:linear --url https://mcp.linear.app/mcp
  moat grant github --app-id 12345 --installation-id 678 --private-key app.pem`,
		Args: arguments(1, 1),

		ValidArgsFunction: first(a.completes(a.knownProviders)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.grant(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.env, "from-env", "", "take the secret from the environment `variable`")
	flags.StringVar(&f.file, "from-file", "", "take the secret from the `file`")
	flags.StringVar(&f.command, "from-command", "", "take the secret from what the `command` prints")
	flags.BoolVar(&f.noValidate, "no-validate", false, "do not ask the service whether the secret is good")
	flags.DurationVar(&f.expiresIn, "expires-in", 0, "the `time` that the secret is good for, such as 8h")
	f.loginFlags.add(flags)
	f.appFlags.add(flags)
	cmd.AddCommand(a.providersCommand())
	cmd.AddCommand(a.storedCommands()...)
	return a.withProfile(cmd)
}

// accepted is what validation has found where the service takes the secret.
const accepted = "accepted"

// granted is what moat grant --json prints.
type granted struct {
	Grant       string     `json:"grant"`
	Fingerprint string     `json:"fingerprint"` // tells one secret from another, nothing else
	Source      string     `json:"source"`
	Hosts       []string   `json:"hosts"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Validated   string     `json:"validated"`              // "accepted", "unknown", "skipped", or "none" where the provider has no way
	ValidatedAt string     `json:"validated_at,omitempty"` // the host that was asked
	Warning     string     `json:"warning,omitempty"`      // why it is unknown
	Live        bool       `json:"live"`                   // a running daemon has it already
}

func (a *app) grant(ctx context.Context, name string, f grantFlags) error {
	provider, err := a.provider("grant", name)
	if err != nil {
		return err
	}
	if err = errors.Join(f.check(), f.checkLogin(provider), f.checkApp(provider)); err != nil {
		return usageError{err, "moat grant"}
	}
	c, err := a.newCredential(ctx, provider, name, f)
	if err != nil {
		return err
	}
	if err = provider.Check(c.Secret); err != nil {
		return fmt.Errorf("grant %s: %w", name, err)
	}
	out := granted{Grant: name, Source: c.Source, Hosts: provider.Hosts()}
	if !c.ExpiresAt.IsZero() {
		out.ExpiresAt = &c.ExpiresAt
	}
	if err = a.validate(ctx, provider, c, &out, f); err != nil {
		return err
	}
	if err = a.store(ctx, provider, c); err != nil {
		return err
	}
	out.Fingerprint = c.Fingerprint()
	if out.Live, err = a.tellDaemon(ctx); err != nil {
		return err
	}
	if c.Renewal == nil && f.begun() {
		fmt.Fprintf(a.process.Stderr, "moat: the server gives no refresh token: moat grant %s again when this one expires\n", name)
	}
	if out.Warning != "" {
		fmt.Fprintf(a.process.Stderr, "moat: %s; the secret is stored all the same\n", out.Warning)
	}
	return print(a, out, out.print)
}

func (g granted) print(w *tabwriter.Writer) {
	to := strings.Join(g.Hosts, ", ")
	if to == "" {
		to = "runs that say where it goes"
	}
	fmt.Fprintf(w, "granted %s (%s) for %s\n", g.Grant, g.Fingerprint, to)
	if g.Validated == accepted {
		fmt.Fprintf(w, "%s accepts it\n", g.ValidatedAt)
	}
}

func (f grantFlags) check() error {
	sources := 0
	for _, s := range []string{f.env, f.file, f.command} {
		if s != "" {
			sources++
		}
	}
	switch {
	case sources > 1:
		return errors.New("only one of --from-env, --from-file and --from-command can say where the secret is")
	case f.expiresIn < 0:
		return errors.New("--expires-in is in the past")
	}
	return nil
}

// newCredential reads the secret, or gets it by a login.
func (a *app) newCredential(ctx context.Context, p *providers.Provider, name string, f grantFlags) (*credential.Credential, error) {
	switch {
	case f.begun():
		return a.loggedIn(ctx, p, name, f.loginFlags)
	case f.appID != "":
		return a.installation(ctx, name, f.appFlags)
	}
	secret, source, err := a.secret(ctx, name, f.secretFlags)
	if err != nil {
		return nil, err
	}
	c := &credential.Credential{Grant: name, Secret: secret, Source: source, CreatedAt: time.Now()}
	if f.expiresIn > 0 {
		c.ExpiresAt = c.CreatedAt.Add(f.expiresIn)
	}
	if f.command != "" {
		c.Renewal = &credential.Renewal{Kind: credential.RenewalCommand, Command: shell(f.command)}
	}
	return c, nil
}

// validate asks the service about the secret. Only one that is rejected is an
// error.
func (a *app) validate(ctx context.Context, p *providers.Provider, c *credential.Credential, out *granted, f grantFlags) error {
	if f.noValidate {
		out.Validated = "skipped"
		return nil
	}
	v, err := a.validator()
	if err != nil {
		return err
	}
	host, err := v.Validate(ctx, p, c.Secret)
	out.ValidatedAt = host
	switch {
	case errors.Is(err, grants.ErrRejected):
		return hinted{
			fmt.Errorf("grant %s: the secret is not stored: %w", c.Grant, err),
			"check the secret; with --no-validate it is stored all the same",
		}
	case err != nil && ctx.Err() == nil:
		out.Validated, out.Warning = "unknown", err.Error()
	case err != nil:
		return err
	case host == "":
		out.Validated = "none"
	default:
		out.Validated = accepted
	}
	return nil
}

// store stores the credential.
func (a *app) store(ctx context.Context, p *providers.Provider, c *credential.Credential) error {
	secrets, err := a.secrets(ctx)
	if err != nil {
		return err
	}
	if p.Scoped() {
		all, _ := secrets.List(ctx) // those that cannot be read are in nobody's way here
		for _, other := range all {
			if other.Grant != c.Grant && strings.EqualFold(other.Grant, c.Grant) {
				return hinted{
					fmt.Errorf("grant %s: there is %s, which is for the same paths: case does not count in them", c.Grant, other.Grant),
					"moat revoke " + other.Grant + " first, or grant that",
				}
			}
		}
	}
	return secrets.Put(ctx, c)
}
