package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// storedCommands are the commands of moat grant for what is stored.
func (a *app) storedCommands() []*cobra.Command {
	return []*cobra.Command{a.grantListCommand(), a.grantShowCommand(), a.grantExportCommand(), a.grantImportCommand()}
}

// withProfile gives cmd, and its commands, the flag --profile.
func (a *app) withProfile(cmd *cobra.Command) *cobra.Command {
	cmd.PersistentFlags().StringVar(&a.profile, "profile", "", "the `name` of the set of credentials (default that of the settings)")
	return cmd
}

func (a *app) grantListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the stored credentials",
		Long: `moat grant list lists the stored credentials, without the secrets. A file that
cannot be read is named, and spares the others.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.grantList(cmd.Context()) },
	}
}

func (a *app) grantShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show GRANT",
		Short:   "Show what is known of a stored credential",
		Long:    "moat grant show shows all that is known of a stored credential but the secret.",
		Example: "  moat grant show github",
		Args:    arguments(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.grantShow(cmd.Context(), args[0]) },
	}
}

// grantInfo is what moat grant list and show print with --json.
type grantInfo struct {
	Grant       string     `json:"grant"`
	Profile     string     `json:"profile,omitempty"`
	Fingerprint string     `json:"fingerprint"` // tells one secret from another, nothing else
	Source      string     `json:"source"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	RefreshedAt *time.Time `json:"refreshed_at,omitempty"`
	Renewal     string     `json:"renewal,omitempty"` // the kind: "oauth2", "command"; absent if nothing renews it
	Hosts       []string   `json:"hosts"`             // null if the provider is not known
	// What the daemon knows of its use; absent while it says nothing.
	State      string     `json:"state,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	LastStatus int        `json:"last_upstream_status,omitempty"`
}

func (a *app) info(c *credential.Credential, set *providers.Set) grantInfo {
	info := grantInfo{
		Grant: c.Grant, Profile: a.settings.Profile, Fingerprint: c.Fingerprint(), Source: c.Source,
		CreatedAt: c.CreatedAt, ExpiresAt: known(c.ExpiresAt), RefreshedAt: known(c.RefreshedAt),
	}
	if c.Renewal != nil {
		info.Renewal = c.Renewal.Kind
	}
	if kind, _, err := credential.ParseGrant(c.Grant); err == nil && set != nil {
		if p, ok := set.Get(kind); ok {
			info.Hosts = p.Hosts()
		}
	}
	return info
}

// known returns the time for JSON, nil for none.
func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func (a *app) grantList(ctx context.Context) error {
	secrets, err := a.secrets(ctx)
	if err != nil {
		return err
	}
	all, failed := secrets.List(ctx)
	set, _ := providers.Load(config.ProvidersDir(a.settings.Home)) // a bad file of a provider is no matter of the list
	infos := make([]grantInfo, 0, len(all))
	for _, c := range all {
		infos = append(infos, a.info(&c, set))
	}
	err = print(a, infos, func(w *tabwriter.Writer) {
		if len(infos) == 0 {
			fmt.Fprintln(w, "no credentials")
			return
		}
		fmt.Fprintln(w, "GRANT\tFINGERPRINT\tSOURCE\tCREATED\tEXPIRES\tRENEWAL")
		for _, i := range infos {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", i.Grant, i.Fingerprint, dash(i.Source), ago(&i.CreatedAt), ahead(i.ExpiresAt), dash(i.Renewal))
		}
	})
	return errors.Join(failed, err)
}

func (a *app) grantShow(ctx context.Context, name string) error {
	if _, _, err := credential.ParseGrant(name); err != nil {
		return usageError{err, "moat grant show"}
	}
	secrets, err := a.secrets(ctx)
	if err != nil {
		return err
	}
	c, err := secrets.Get(ctx, name)
	if errors.Is(err, credential.ErrNotFound) {
		return hinted{fmt.Errorf("there is no credential %s", name), stored(ctx, secrets)}
	}
	if err != nil {
		return err
	}
	set, _ := providers.Load(config.ProvidersDir(a.settings.Home)) // as for a list
	info := a.info(c, set)
	a.addUse(ctx, &info)
	return print(a, info, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "grant\t%s\n", info.Grant)
		if info.Profile != "" {
			fmt.Fprintf(w, "profile\t%s\n", info.Profile)
		}
		fmt.Fprintf(w, "fingerprint\t%s\n", info.Fingerprint)
		fmt.Fprintf(w, "source\t%s\n", dash(info.Source))
		fmt.Fprintf(w, "hosts\t%s\n", dash(strings.Join(info.Hosts, ", ")))
		fmt.Fprintf(w, "created\t%s\n", ago(&info.CreatedAt))
		fmt.Fprintf(w, "expires\t%s\n", ahead(info.ExpiresAt))
		fmt.Fprintf(w, "renewal\t%s\n", renewal(c.Renewal))
		fmt.Fprintf(w, "refreshed\t%s\n", ago(info.RefreshedAt))
		if info.State == "" {
			return // no daemon runs, or no run has the grant
		}
		fmt.Fprintf(w, "state\t%s\n", info.State)
		if info.Reason != "" {
			fmt.Fprintf(w, "reason\t%s\n", info.Reason)
		}
		fmt.Fprintf(w, "last used\t%s\n", ago(info.LastUsedAt))
		if info.LastStatus != 0 {
			fmt.Fprintf(w, "last answer\t%d\n", info.LastStatus)
		}
	})
}

// addUse adds what a daemon that runs knows of the credential's use. That one does
// not say is no error of who asks what is stored.
func (a *app) addUse(ctx context.Context, info *grantInfo) {
	last, err := a.alive(ctx)
	if err != nil || last == nil || info.Profile != "" { // daemons use the credentials of no profile
		return
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	all, _ := daemon.NewClient(last.SockPath).Credentials(ctx)
	for _, c := range all {
		if c.Stored == info.Grant {
			info.State, info.Reason, info.LastUsedAt, info.LastStatus = c.State, c.Reason, c.LastUsedAt, c.LastStatus
		}
	}
}

// renewal says how a credential is renewed.
func renewal(r *credential.Renewal) string {
	switch {
	case r == nil:
		return "-"
	case len(r.Command) > 0:
		return r.Kind + ": " + strings.Join(r.Command, " ")
	case r.TokenURL != "":
		return r.Kind + " at " + r.TokenURL
	}
	return r.Kind
}

// ago says how long ago a time was, ahead how far ahead it is; for people.
func ago(at *time.Time) string {
	if at == nil || at.IsZero() {
		return "-"
	}
	return time.Since(*at).Round(time.Second).String() + " ago"
}

func ahead(at *time.Time) string {
	if at == nil {
		return "-"
	}
	left := time.Until(*at).Round(time.Second)
	if left < 0 {
		return "expired " + ago(at)
	}
	return "in " + left.String()
}
