package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the daemon runs, and how it is",
		Long: `moat status shows the daemon: its process, its port, its runs, its problems. It
never starts one. It ends with 0 if the daemon runs and with 3 if it does not.`,
		Args: arguments(0, 0),

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
	}
}

// status is what moat status --json prints.
type status struct {
	Running bool   `json:"running"`
	Home    string `json:"home"`
	Socket  string `json:"socket"`
	*daemon.HealthResponse
	Credentials []daemon.CredentialInfo `json:"credentials,omitempty"`
	Service     *serviceView            `json:"service,omitempty"` // absent where there is no service manager
}

// statusTimeout is how long a daemon may take to say how it is.
const statusTimeout = 5 * time.Second

// alive returns the record of the daemon that runs, nil if none does.
type alive func(context.Context) (*daemon.LockInfo, error)

// look asks the daemon, if it runs, and the service manager, at the same time.
func (a *app) look(ctx context.Context, sup supervisor.Supervisor, alive alive) (status, error) {
	out := status{Home: a.settings.Home, Socket: a.settings.APISocket}
	managers := make(chan *serviceView, 1)
	go func() { managers <- view(ctx, sup) }()
	err := askDaemon(ctx, &out, alive)
	out.Service = <-managers
	return out, err
}

func askDaemon(ctx context.Context, out *status, alive alive) error {
	last, err := alive(ctx) // or connecting could start one
	if err != nil || last == nil {
		return err
	}
	out.Running, out.Socket = true, last.SockPath
	soon, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	if out.HealthResponse, err = daemon.NewClient(last.SockPath).Health(soon); err != nil {
		return hinted{
			fmt.Errorf("moatd is there, process %d, but does not answer: %w", last.PID, err),
			"moat daemon logs may tell why; moat daemon restart",
		}
	}
	// A daemon that is too old to know is no worse for that.
	out.Credentials, err = daemon.NewClient(last.SockPath).Credentials(soon)
	if errors.Is(err, daemon.ErrUnsupported) {
		return nil
	}
	return err
}

func (a *app) status(ctx context.Context) error {
	out, err := a.look(ctx, a.supervisor(), a.alive)
	if err != nil {
		return err
	}
	if err := print(a, out, out.people); err != nil {
		return err
	}
	if !out.Running {
		if _, err := os.Stat(out.Socket); err != nil && !a.json {
			fmt.Fprintf(a.process.Stderr, "moat: hint: %s\n", out.Service.startHint())
		}
		return exitCode(exitNotRunning)
	}
	return nil
}

func (s status) people(w *tabwriter.Writer) {
	if !s.Running {
		fmt.Fprintf(w, "moatd is not running\nsocket\t%s\nstate\t%s\n", s.Socket, s.Home)
		s.Service.brief(w)
		return
	}
	fmt.Fprintf(w, "moatd runs\tprocess %d, started %s\n", s.PID, age(s.StartedAt))
	fmt.Fprintf(w, "proxy\tport %d\n", s.ProxyPort)
	fmt.Fprintf(w, "runs\t%s\n", runs(s.RunCount, s.Degraded))
	fmt.Fprintf(w, "state\t%s\n", s.Home)
	if s.Key != nil && s.Key.Source != "" {
		fmt.Fprintf(w, "key\tin the %s, %s\n", s.Key.Source, s.Key.ID)
	}
	s.Service.brief(w)
	for _, c := range s.Credentials {
		fmt.Fprintf(w, "credential\t%s\n", forecast(c))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "problem\t%s\n", p)
	}
}

func runs(all, degraded int) string {
	switch {
	case all == 0:
		return "none"
	case degraded == 0:
		return strconv.Itoa(all)
	}
	return fmt.Sprintf("%d, %d of them degraded; moat ls says why", all, degraded)
}

// forecast says how a credential is, and what becomes of it.
func forecast(c daemon.CredentialInfo) string {
	text := c.Grant + ": " + c.State
	if c.Reason != "" {
		return text + ", " + c.Reason
	}
	switch {
	case c.ExpiresAt == nil:
		return text
	case c.DueAt == nil:
		return text + ", runs out " + ahead(c.ExpiresAt)
	}
	return text + ", runs out " + ahead(c.ExpiresAt) + ", renewed " + ahead(c.DueAt)
}
