package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/credential"
)

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
