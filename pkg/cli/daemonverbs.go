package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// verb is a command that does one thing to the service.
type verb struct {
	name, short, long string
	during            string // what is going on
	done              string // what was done
	managed           func(supervisor.Supervisor, context.Context) error
	alone             func(*service, context.Context) error // without a service manager; nil if that makes no sense
}

func verbs() []verb {
	return []verb{
		{
			"start", "Start the daemon", `moat daemon start starts the daemon and its sockets, and ends when it is ready.
The first connection would start it too.`,
			"starting", "started", supervisor.Supervisor.Start, (*service).startAlone,
		},
		{
			"stop", "Stop the daemon, and close its sockets", `moat daemon stop lets requests in flight end and closes the sockets: nothing
starts the daemon again but moat daemon start, the next login and moat run.`,
			"waiting for requests in flight to end", "stopped", supervisor.Supervisor.Stop, (*service).stopAlone,
		},
		{
			"restart", "Restart the daemon; no connection is refused", `moat daemon restart lets requests in flight end and starts the daemon anew. The
sockets stay open: whoever connects meanwhile waits.`,
			"waiting for requests in flight to end", "restarted", supervisor.Supervisor.Restart, (*service).restartAlone,
		},
		{
			"reload", "Read providers and credentials anew", `moat daemon reload makes the daemon read providers and credentials anew and give
them to the live runs. Settings count from the next start.`,
			"reloading", "reloaded", supervisor.Supervisor.Reload, (*service).reloadAlone,
		},
		{
			"enable", "Listen from the next login on", "moat daemon enable makes the sockets listen from the next login on.",
			"enabling", "enabled", supervisor.Supervisor.Enable, nil,
		},
		{
			"disable", "Do not listen from the next login on", "moat daemon disable undoes moat daemon enable. What listens now goes on.",
			"disabling", "disabled", supervisor.Supervisor.Disable, nil,
		},
	}
}

func (s *service) verbCommand(v verb) *cobra.Command {
	return &cobra.Command{
		Use:     v.name,
		Short:   v.short,
		Long:    v.long,
		Example: fmt.Sprintf("  moat daemon %s\n  sudo moat daemon %s --system", v.name, v.name),
		Args:    arguments(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.do(cmd.Context(), v) },
	}
}

// acted is what the verbs print with --json.
type acted struct {
	Done       string `json:"done"`
	Supervisor string `json:"supervisor"`
	PID        int    `json:"pid,omitempty"` // of the daemon that runs now
}

func (s *service) do(ctx context.Context, v verb) error {
	sup := s.supervisor()
	err := s.during(v.during, func() error { return s.act(ctx, sup, v) })
	if err != nil {
		return supervised(err)
	}
	out := acted{Done: v.done, Supervisor: sup.Name()}
	if last, err := s.alive(ctx); err == nil && last != nil {
		out.PID = last.PID
	}
	return print(s.app, out, func(w *tabwriter.Writer) {
		if out.PID == 0 {
			fmt.Fprintf(w, "moatd: %s\n", v.done)
			return
		}
		fmt.Fprintf(w, "moatd: %s, process %d\n", v.done, out.PID)
	})
}

// act does it by the service manager. Where that has no moatd, a daemon that
// moat run has started is meant, if there is one.
func (s *service) act(ctx context.Context, sup supervisor.Supervisor, v verb) error {
	is, err := managed(ctx, sup)
	if err != nil {
		return err
	}
	last, err := s.alive(ctx)
	if err != nil {
		return err
	}
	alone := v.alone != nil && !s.system && (sup.Name() == "none" || last != nil)
	if !is && alone {
		return v.alone(s, ctx)
	}
	if err := v.managed(sup, ctx); err != nil {
		return err
	}
	if v.name == "stop" { // and one that was started by hand
		return s.stopAlone(ctx)
	}
	return nil
}

// startAlone returns when a daemon answers.
func (s *service) startAlone(context.Context) error {
	_, err := s.start() //nolint:contextcheck // as in register
	return err
}

func (s *service) stopAlone(ctx context.Context) error {
	last, err := s.alive(ctx)
	if err != nil || last == nil {
		return err
	}
	return s.end(ctx, last)
}

func (s *service) restartAlone(ctx context.Context) error {
	return errors.Join(s.stopAlone(ctx), s.startAlone(ctx))
}

func (s *service) reloadAlone(ctx context.Context) error {
	last, err := s.alive(ctx)
	if err != nil {
		return err
	}
	if last == nil {
		return &supervisor.Problem{What: "moatd does not run, so there is nothing to reload", Todo: "moat daemon start", Kind: supervisor.ErrNotRunning}
	}
	return daemon.NewClient(last.SockPath).Reload(ctx)
}
