package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (a *app) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke GRANT",
		Short: "Forget a credential",
		Long: `moat revoke removes a stored credential. Runs that have the grant lose it at
once: their requests to its hosts are refused from then on.`,
		Example: "  moat revoke github",
		Args:    usage(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.revoke(cmd.Context(), args[0]) },
	}
}

// revoked is what moat revoke --json prints.
type revoked struct {
	Grant string `json:"grant"`
	Live  bool   `json:"live"` // a running daemon has taken it from its runs
}

func (a *app) revoke(ctx context.Context, name string) error {
	secrets, err := a.secrets()
	if err != nil {
		return err
	}
	if err = secrets.Delete(ctx, name); err != nil {
		return err
	}
	live, err := a.tellDaemon(ctx)
	if err != nil {
		return err
	}
	return print(a, revoked{name, live}, func(w *tabwriter.Writer) { fmt.Fprintf(w, "revoked %s\n", name) })
}
