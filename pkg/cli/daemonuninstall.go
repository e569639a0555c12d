package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// uninstallFlags are those of moat daemon uninstall.
type uninstallFlags struct {
	purge, yes, force bool
}

func (s *service) uninstallCommand() *cobra.Command {
	var f uninstallFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the service; the state stays",
		Long: `moat daemon uninstall ends the daemon and removes the service. Credentials, runs
and settings stay, and a later installation goes on with them. --purge removes
them too; it asks before, and refuses while runs are registered. Units of a
package stay, disabled; so does what systemctl edit has made.`,
		Example: `  moat daemon uninstall
  moat daemon uninstall --purge --yes
  sudo moat daemon uninstall --system --purge`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.uninstall(cmd, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.purge, "purge", false, "remove the state too, and with --system the account")
	flags.BoolVar(&f.yes, "yes", false, "do not ask before --purge")
	flags.BoolVar(&f.force, "force", false, "--purge even while runs are registered")
	return cmd
}

// uninstalled is what moat daemon uninstall --json prints.
type uninstalled struct {
	Removed []string `json:"removed"`
	Left    []string `json:"left,omitempty"` // what stays that has to do with moatd
	Notes   []string `json:"notes,omitempty"`
}

func (s *service) uninstall(cmd *cobra.Command, f uninstallFlags) error {
	ctx, sup := cmd.Context(), s.supervisor()
	before, err := sup.Status(ctx)
	if err != nil && !errors.Is(err, supervisor.ErrUnavailable) {
		return supervised(err)
	}
	count := s.runCount(ctx)
	if f.purge {
		if err = s.mayPurge(cmd, f, count); err != nil {
			return err
		}
	}
	out := uninstalled{Removed: []string{}}
	err = s.during("waiting for requests in flight to end", func() error { return s.uninstallWith(ctx, sup, &out) })
	if err != nil {
		return supervised(err)
	}
	if f.purge {
		if err := s.purge(ctx, &out); err != nil {
			return err
		}
	} else if count > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%s registered, and without a proxy until moatd is installed again", runsAre(count)))
	}
	s.leave(before, &out)
	return print(s.app, out, func(w *tabwriter.Writer) {
		if len(out.Removed) == 0 {
			fmt.Fprintln(w, "moatd: there was nothing to remove")
		}
		for _, path := range out.Removed {
			fmt.Fprintf(w, "removed %s\n", path)
		}
		for _, path := range out.Left {
			fmt.Fprintf(w, "left %s\n", path)
		}
		printNotes(w, out.Notes)
	})
}

// uninstallWith removes the service, and ends a daemon that was started by hand.
func (s *service) uninstallWith(ctx context.Context, sup supervisor.Supervisor, out *uninstalled) error {
	removed, err := sup.Uninstall(ctx)
	out.Removed = append(out.Removed, removed...)
	if err != nil && !errors.Is(err, supervisor.ErrUnavailable) {
		return err
	}
	if err := s.stopAlone(ctx); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(s.settings.APISocket)) // fails if there is anything in it
	return nil
}

// leave says what stays.
func (s *service) leave(before supervisor.Status, out *uninstalled) {
	all := append(slices.Clip(before.DropIns), s.settings.Home)
	out.Left = slices.DeleteFunc(all, func(path string) bool {
		_, err := os.Lstat(path)
		return err != nil
	})
	if before.Packaged {
		out.Notes = append(out.Notes, "the units of the package stay, disabled")
	}
	if before.Linger && !s.system {
		out.Notes = append(out.Notes, "systemd still runs for this user without a login; loginctl disable-linger ends that")
	}
}

// runCount returns how many runs a daemon has that runs; it starts none.
func (s *service) runCount(ctx context.Context) int {
	last, err := s.alive(ctx)
	if err != nil || last == nil {
		return 0
	}
	soon, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	health, err := daemon.NewClient(last.SockPath).Health(soon)
	if err != nil {
		return 0
	}
	return health.RunCount
}

// mayPurge asks whoever is at the terminal.
func (s *service) mayPurge(cmd *cobra.Command, f uninstallFlags, count int) error {
	if err := s.purgeable(); err != nil {
		return err
	}
	if count > 0 && !f.force {
		return hinted{fmt.Errorf("%s registered, and would be lost for good", runsAre(count)), "moat ls lists them; --force removes them all the same"}
	}
	if f.yes {
		return nil
	}
	if s.process.Stdin == nil || !term.IsTerminal(int(s.process.Stdin.Fd())) {
		return usageError{errors.New("--purge removes credentials and runs, and there is no terminal to ask at: add --yes"), cmd.CommandPath()}
	}
	fmt.Fprintf(s.process.Stderr, "Remove %s with all its credentials, runs and settings? [y/N] ", s.settings.Home)
	answer, err := bufio.NewReader(s.process.Stdin).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errors.New("nothing was removed")
	}
	return nil
}

func runsAre(n int) string {
	if n == 1 {
		return "1 run is"
	}
	return fmt.Sprintf("%d runs are", n)
}

// purgeable makes sure that the home is a directory of moatd's alone: it goes as
// a whole.
func (s *service) purgeable() error {
	home := s.settings.Home
	below, err := filepath.Rel(home, s.process.UserHome)
	if s.process.UserHome != "" && err == nil && (below == "." || !strings.HasPrefix(below, "..")) {
		return fmt.Errorf("MOAT_HOME %s holds your home directory: remove what is moatd's in it by hand", home)
	}
	if _, err := os.Stat(home); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, sign := range []string{config.Database(home), config.CredentialsDir(home), config.KeyFile(home)} {
		if _, err := os.Stat(sign); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s does not look like a state directory of moatd: remove it by hand", home)
}

// purge removes the state, and the account.
func (s *service) purge(ctx context.Context, out *uninstalled) error {
	if last, err := s.alive(ctx); err != nil || last != nil {
		return errors.Join(errors.New("the daemon still runs, so its state stays"), err)
	}
	_, missing := os.Lstat(s.settings.Home)
	if err := os.RemoveAll(s.settings.Home); err != nil {
		return fmt.Errorf("remove the state: %w", err)
	}
	if missing == nil {
		out.Removed = append(out.Removed, s.settings.Home)
	}
	if !s.system {
		return nil
	}
	if err := os.RemoveAll(supervisor.AccountHome); err != nil {
		return fmt.Errorf("remove the state: %w", err)
	}
	return supervisor.RemoveAccount(ctx, s.supervisorOptions(true))
}
