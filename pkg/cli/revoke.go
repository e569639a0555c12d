package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/credential"
)

func (a *app) revokeCommand() *cobra.Command {
	return a.withProfile(&cobra.Command{
		Use:   "revoke GRANT",
		Short: "Forget a credential",
		Long: `moat revoke removes a stored credential. Runs that have the grant lose it at
once: their requests to its hosts are refused from then on.`,
		Example: "  moat revoke github",
		Args:    arguments(1, 1),

		ValidArgsFunction: first(a.completes(a.storedGrants)),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.revoke(cmd.Context(), args[0]) },
	})
}

// revoked is what moat revoke --json prints.
type revoked struct {
	Grant string `json:"grant"`
	Live  bool   `json:"live"` // a running daemon has taken it from its runs
}

func (a *app) revoke(ctx context.Context, name string) error {
	secrets, err := a.secrets(ctx)
	if err != nil {
		return err
	}
	if _, _, err = credential.ParseGrant(name); err != nil {
		return usageError{err, "moat revoke"}
	}
	err = secrets.Delete(ctx, name)
	if errors.Is(err, credential.ErrNotFound) {
		return hinted{fmt.Errorf("there is no credential %s", name), stored(ctx, secrets)}
	}
	if err != nil {
		return err
	}
	live, err := a.tellDaemon(ctx)
	if err != nil {
		return err
	}
	return print(a, revoked{name, live}, func(w *tabwriter.Writer) { fmt.Fprintf(w, "revoked %s\n", name) })
}

// stored says which credentials there are.
func stored(ctx context.Context, secrets *credential.FileStore) string {
	all, _ := secrets.List(ctx) // those that cannot be read are no answer to the question
	if len(all) == 0 {
		return "none is stored"
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Grant)
	}
	return "there are " + strings.Join(names, ", ")
}
