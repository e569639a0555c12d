package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// service is what the commands of moat daemon share.
type service struct {
	*app
	system bool // the one of the whole machine
}

func (a *app) daemonCommand() *cobra.Command {
	s := &service{app: a}
	group := &cobra.Command{
		Use:   "daemon",
		Short: "Install, start, stop and ask the service that moatd is",
		Long:  daemonLong,
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: 2,
	}
	group.PersistentFlags().BoolVar(&s.system, "system", false, "the service of the whole machine, under the account moat; needs root")
	list := []*cobra.Command{s.installCommand(), s.uninstallCommand(), s.logsCommand(), s.daemonStatusCommand()}
	for _, v := range verbs() {
		list = append(list, s.verbCommand(v))
	}
	for _, cmd := range list {
		cmd.PreRunE = func(*cobra.Command, []string) error { return s.configure() }
		group.AddCommand(cmd)
	}
	return group
}

const daemonLong = `moat daemon has the commands for the service: systemd's or launchd's, which holds
moatd's sockets, starts it on the first connection and restarts it when it dies.
Where there is no service manager, start, stop, restart, status and logs are
about the daemon that moat run starts.

Exit codes: 3 for a daemon that does not run, 4 for a service that is not installed.`

// configure reads the settings; those of the system's service are the account's.
func (s *service) configure() error {
	if err := s.app.configure(); err != nil || !s.system {
		return err
	}
	s.settings.Home = filepath.Join(supervisor.AccountHome, ".moat")
	s.settings.APISocket = filepath.Join(s.settings.Home, "run", "moatd.sock")
	return nil
}

// supervisor returns the service manager of the user.
func (a *app) supervisor() supervisor.Supervisor { return supervisor.New(a.supervisorOptions(false)) }

// supervisor returns the service manager that the commands are about.
func (s *service) supervisor() supervisor.Supervisor {
	return supervisor.New(s.supervisorOptions(s.system))
}

func (a *app) supervisorOptions(system bool) supervisor.Options {
	return supervisor.Options{
		System:   system,
		Getenv:   a.process.Getenv,
		Environ:  a.process.Environ,
		UID:      os.Getuid(),
		UserHome: a.process.UserHome,
		MoatHome: a.settings.Home,
		Root:     a.process.Root,
	}
}

// managed reports whether a service manager has moatd. That there is no manager
// is no error.
func managed(ctx context.Context, sup supervisor.Supervisor) (bool, error) {
	st, err := sup.Status(ctx)
	if errors.Is(err, supervisor.ErrUnavailable) {
		return false, nil
	}
	return st.Installed, err
}

// alive returns the record of the daemon that runs, nil if none does. It connects
// to nothing, since that could start one.
func (a *app) alive(context.Context) (*daemon.LockInfo, error) {
	last, err := daemon.ReadLockFile(a.settings.Home)
	if err != nil || !last.IsAlive() {
		return nil, err
	}
	return last, nil
}

// alive is that of the app; of the account's daemon, whose files are not root's,
// the service manager knows.
func (s *service) alive(ctx context.Context) (*daemon.LockInfo, error) {
	if !s.system {
		return s.app.alive(ctx)
	}
	st, err := s.supervisor().Status(ctx)
	if err != nil || st.State != "active" {
		return nil, err
	}
	return &daemon.LockInfo{PID: st.PID, SockPath: s.settings.APISocket, StartedAt: st.Since}, nil
}

// end asks a daemon to end, and waits until it has, for as long as it may drain
// and some seconds more.
func (a *app) end(ctx context.Context, last *daemon.LockInfo) error {
	ctx, cancel := context.WithTimeout(ctx, a.settings.DrainLimit+endMargin)
	defer cancel()
	if err := daemon.NewClient(last.SockPath).Shutdown(ctx); err != nil && last.IsAlive() {
		return hinted{fmt.Errorf("process %d does not end: %w", last.PID, err), fmt.Sprintf("kill %d", last.PID)}
	}
	tick := time.NewTicker(endPoll)
	defer tick.Stop()
	for last.IsAlive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return hinted{fmt.Errorf("process %d still drains", last.PID), fmt.Sprintf("kill -9 %d cuts its connections", last.PID)}
		}
	}
	return nil
}

const (
	endMargin = 10 * time.Second
	endPoll   = 20 * time.Millisecond
)

// during does something that may last, and says so on a terminal after a second.
func (a *app) during(what string, do func() error) error {
	if terminal(a.process.Stderr) {
		defer time.AfterFunc(time.Second, func() { fmt.Fprintf(a.process.Stderr, "moat: %s…\n", what) }).Stop()
	}
	return do()
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// supervised puts the errors of a service manager into words for a user, and
// gives those that scripts ask for their exit codes.
func supervised(err error) error {
	p, ok := errors.AsType[*supervisor.Problem](err)
	if !ok {
		return err
	}
	said := hinted{errors.New(p.What), p.Todo}
	switch {
	case errors.Is(p, supervisor.ErrNotRunning):
		return coded{said, exitNotRunning}
	case errors.Is(p, supervisor.ErrNotInstalled):
		return coded{said, exitNotInstalled}
	}
	return said
}

// coded is an error that ends the program with a code of its own.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// printNotes prints sentences for people, one a line.
func printNotes(w *tabwriter.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
}
