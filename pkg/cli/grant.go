package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// maxSecret is the longest secret that is read, in bytes.
const maxSecret = 64 << 10

func (a *app) grantCommand() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "grant PROVIDER[:SCOPE]",
		Short: "Store a credential that runs may use",
		Long: `moat grant stores a credential, sealed, for moat run --grant. It asks for the
secret on a terminal, without showing it, and else reads standard input. Runs
that have the grant use the new secret from their next request on.`,
		Example: "  moat grant github\n  gh auth token | moat grant github\n  moat grant openai --from-env OPENAI_API_KEY",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.grant(cmd.Context(), args[0], env)
		},
	}
	cmd.Flags().StringVar(&env, "from-env", "", "take the secret from the environment `variable`")
	return cmd
}

// granted is what moat grant --json prints.
type granted struct {
	Grant       string   `json:"grant"`
	Fingerprint string   `json:"fingerprint"` // tells one secret from another, nothing else
	Source      string   `json:"source"`
	Hosts       []string `json:"hosts"`
	Live        bool     `json:"live"` // a running daemon has it already
}

func (a *app) grant(ctx context.Context, name, env string) error {
	provider, err := a.provider("grant", name)
	if err != nil {
		return err
	}
	secret, source, err := a.secret(name, env)
	if err != nil {
		return err
	}
	if err = provider.Check(secret); err != nil {
		return fmt.Errorf("grant %s: %w", name, err)
	}
	secrets, err := a.secrets()
	if err != nil {
		return err
	}
	c := &credential.Credential{Grant: name, Secret: secret, Source: source, CreatedAt: time.Now()}
	if err = secrets.Put(ctx, c); err != nil {
		return err
	}
	out := granted{Grant: name, Fingerprint: c.Fingerprint(), Source: source, Hosts: provider.Hosts()}
	if out.Live, err = a.tellDaemon(ctx); err != nil {
		return err
	}
	return print(a, out, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "granted %s (%s) for %s\n", name, out.Fingerprint, strings.Join(out.Hosts, ", "))
	})
}

// provider returns the provider of a grant that a command was given.
func (a *app) provider(command, name string) (*providers.Provider, error) {
	kind, _, err := credential.ParseGrant(name)
	if err != nil {
		return nil, usageError{err, "moat " + command}
	}
	set, err := providers.Load(config.ProvidersDir(a.settings.Home))
	if set == nil {
		return nil, err
	}
	if err := set.Broken(kind); err != nil {
		return nil, err
	}
	p, ok := set.Get(kind)
	if !ok {
		return nil, hinted{
			fmt.Errorf("%w %q", grants.ErrUnknownProvider, kind),
			fmt.Sprintf("there are %s; %s/%s.yaml can describe another", strings.Join(set.Names(), ", "),
				config.ProvidersDir(a.settings.Home), kind),
		}
	}
	return p, nil
}

// secrets opens the credential store.
func (a *app) secrets() (*credential.FileStore, error) {
	home := a.settings.Home
	if err := config.MakeHome(home); err != nil {
		return nil, err
	}
	key, _, err := credential.LoadOrCreateKey(config.KeyFile(home))
	if err != nil {
		return nil, err
	}
	return credential.OpenFileStore(config.CredentialsDir(home), key)
}

// secret reads the secret and says where it came from.
func (a *app) secret(name, env string) (secret credential.Secret, source string, err error) {
	text := ""
	switch {
	case env != "":
		source, text = "env:"+env, a.process.Getenv(env)
	case term.IsTerminal(int(a.process.Stdin.Fd())):
		source = "prompt"
		text, err = a.prompt(name)
	default:
		source = "stdin"
		text, err = readAll(a.process.Stdin)
	}
	if err != nil {
		return "", "", fmt.Errorf("read the secret from %s: %w", source, err)
	}
	secret = providers.TrimSecret(text)
	if secret == "" {
		return "", "", a.noSecret(name, env)
	}
	return secret, source, nil
}

// noSecret says where the secret was expected.
func (a *app) noSecret(name, env string) error {
	if env != "" {
		return hinted{fmt.Errorf("the variable %s is empty or not set", env), "export " + env + " first, or pipe the secret to moat grant " + name}
	}
	return hinted{
		errors.New("the secret is empty"),
		fmt.Sprintf("pipe it to moat grant %s, name a variable with --from-env, or type it in a terminal", name),
	}
}

func (a *app) prompt(name string) (string, error) {
	fmt.Fprintf(a.process.Stderr, "Secret for %s: ", name)
	line, err := term.ReadPassword(int(a.process.Stdin.Fd()))
	fmt.Fprintln(a.process.Stderr)
	return string(line), err
}

func readAll(r io.Reader) (string, error) {
	data, err := io.ReadAll(bufio.NewReader(io.LimitReader(r, maxSecret+1)))
	if err != nil {
		return "", err
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("it is longer than %d bytes", maxSecret)
	}
	return string(data), nil
}

// tellDaemon makes a daemon that runs take the credentials as they are now, and
// reports whether there is one. It starts none: one that starts later reads
// them anyway.
func (a *app) tellDaemon(ctx context.Context) (bool, error) {
	last, err := daemon.ReadLockFile(a.settings.Home)
	if err != nil || !last.IsAlive() {
		return false, err
	}
	err = daemon.NewClient(last.SockPath).Reload(ctx)
	if err != nil && !errors.Is(err, daemon.ErrUnsupported) {
		return false, hinted{
			fmt.Errorf("the change is stored, but the daemon has not taken it: %w", err),
			"systemctl --user reload moatd",
		}
	}
	return err == nil, nil
}
