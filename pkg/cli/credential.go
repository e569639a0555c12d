package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
)

func (a *app) credentialCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: "The key that seals the credentials",
		Long: `One key seals all that is secret in the state directory. It is in a file there, in
the keyring of the desktop, or a credential that systemd hands to the daemon.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.keyCommand(), a.rekeyCommand())
	return cmd
}

func (a *app) keyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Say where the key is, and whether it can be had",
		Long: `moat credential key says where the key is and whether this command can have it. It
never shows the key. It ends with 1 if the key cannot be had.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.key(cmd.Context()) },
	}
}

// keyStatus is what moat credential key --json prints.
type keyStatus struct {
	daemon.KeyInfo

	Moving bool `json:"moving,omitempty"` // a move to this key has not ended
}

func (a *app) key(ctx context.Context) error {
	keys, err := a.keys()
	if err != nil {
		return err
	}
	failed := keys.Unlock(ctx)
	out := keyStatus{daemon.KeyInfo{Source: string(keys.Place().Source), ID: keys.Place().ID}, keys.Moving()}
	if failed != nil {
		out.Problem = failed.Error()
	}
	err = print(a, out, func(w *tabwriter.Writer) {
		if out.Source == "" {
			return // what is wrong says it all
		}
		fmt.Fprintf(w, "key\t%s\nin the\t%s\n", out.ID, out.Source)
		if prefer := a.settings.KeySource; prefer != string(credential.KeyAuto) && prefer != out.Source {
			fmt.Fprintf(w, "but\tkey_source says %s: moat credential rekey --to %s moves it\n", prefer, prefer)
		}
		if out.Moving {
			fmt.Fprintf(w, "but\ta move to it has not ended; the daemon ends it when it starts\n")
		}
	})
	return errors.Join(failed, err)
}

func (a *app) rekeyCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Seal everything with a new key",
		Long: `moat credential rekey makes a new key and seals everything with it: the
credentials, those of profiles, and what the daemon keeps for its runs, which go
on meanwhile. The old key is removed at the end. Ended at any point, everything
opens with one key or the other, and the next start of the daemon goes on.

Fingerprints are others afterwards, as they are made with the key.`,
		Example: "  moat credential rekey\n  moat credential rekey --to keyring",
		Args:    arguments(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.rekey(cmd.Context(), to) },
	}
	cmd.Flags().StringVar(&to, "to", "", "the `place` of the new key: keyring, file or credentials (default where the old one is)")
	return cmd
}

func (a *app) rekey(ctx context.Context, to string) error {
	if err := config.MakeHome(a.settings.Home); err != nil {
		return err
	}
	client := a.client()
	health, err := client.Health(ctx)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		if client, err = a.start(); err != nil { //nolint:contextcheck // as for a run; see register
			return err
		}
		health, err = client.Health(ctx)
	}
	if err != nil {
		return a.reached(err)
	}
	if to == "" && health.Key != nil {
		to = health.Key.Source
	}
	if _, err = credential.ParseKeySource(to); err != nil {
		return usageError{err, "moat credential rekey"}
	}
	done, err := client.Rekey(ctx, daemon.RekeyRequest{To: to})
	if err != nil {
		return a.reached(err)
	}
	return print(a, done, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "moved %d credentials to the key %s in the %s; the old one, in the %s, is gone\n",
			done.Credentials, done.To.ID, done.To.Source, done.From.Source)
		for _, text := range done.Skipped {
			fmt.Fprintf(w, "skipped\t%s\n", text)
		}
	})
}
