package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func (s *service) daemonStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the service and its sockets",
		Long: `moat daemon status shows what the service manager knows of the service, and the
daemon of itself. It never starts one. It ends with 0 if the daemon runs, with 3
if it does not, and with 4 if it is not even installed.`,
		Example: "  moat daemon status\n  moat daemon status --json\n  sudo moat daemon status --system",
		Args:    arguments(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.daemonStatus(cmd.Context()) },
	}
}

func (s *service) daemonStatus(ctx context.Context) error {
	sup := s.supervisor()
	out, err := s.look(ctx, sup, s.alive)
	if err != nil {
		return err
	}
	if err := print(s.app, out, func(w *tabwriter.Writer) {
		out.people(w)
		out.Service.details(w)
	}); err != nil {
		return err
	}
	switch {
	case out.Running:
		return nil
	case out.Service != nil && !out.Service.Installed:
		return exitCode(exitNotInstalled)
	}
	return exitCode(exitNotRunning)
}

// serviceTimeout is how long the service manager may take to say how it is.
const serviceTimeout = 2 * time.Second

// serviceView is what a service manager knows of moatd; nil where there is none.
type serviceView struct {
	supervisor.Status
	Error string `json:"error,omitempty"` // it could not be asked
}

// view asks the service manager.
func view(ctx context.Context, sup supervisor.Supervisor) *serviceView {
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
	defer cancel()
	st, err := sup.Status(ctx)
	if errors.Is(err, supervisor.ErrUnavailable) {
		return nil
	}
	v := &serviceView{Status: st}
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// brief is what moat status shows: a line, and what is wrong.
func (v *serviceView) brief(w *tabwriter.Writer) {
	switch {
	case v == nil:
		return
	case v.Error != "":
		fmt.Fprintf(w, "problem\t%s\n", v.Error)
		return
	case !v.Installed:
		fmt.Fprintf(w, "service\tnot installed in %s; moat daemon install\n", v.Supervisor)
		return
	}
	fmt.Fprintf(w, "service\t%s\n", v.line())
	for _, p := range v.troubles() {
		fmt.Fprintf(w, "problem\t%s\n", p)
	}
}

// line is the state in a line.
func (v *serviceView) line() string {
	text := v.Supervisor + ", " + v.State
	if v.Restarts > 0 {
		text += fmt.Sprintf(", restarted %d times after failures", v.Restarts)
	}
	if v.State == "inactive" && v.listens("api") {
		text += "; the next connection starts it"
	}
	return text
}

// startHint is how to start the daemon.
func (v *serviceView) startHint() string {
	if v != nil && v.Installed {
		return "moat daemon start"
	}
	return startHint
}

func (v *serviceView) listens(name string) bool {
	for _, sock := range v.Sockets {
		if sock.Name == name {
			return sock.State == "active"
		}
	}
	return false
}

// troubles says what is wrong, each with what to do.
func (v *serviceView) troubles() []string {
	var all []string
	if v.State == "failed" {
		all = append(all, fmt.Sprintf("the daemon failed: %s, exit code %d; moat daemon logs", v.Result, v.ExitCode))
	}
	if v.State == "masked" {
		all = append(all, "the service is masked; systemctl --user unmask moatd.service")
	}
	for _, sock := range v.Sockets {
		if sock.State == "failed" {
			all = append(all, fmt.Sprintf("the socket %s does not listen on %s: %s; moat doctor", sock.Name, strings.Join(sock.Listen, ", "), sock.Result))
		}
	}
	if v.Changed {
		all = append(all, "its files have changed since the service manager read them; moat daemon install")
	}
	return all
}

// details is what moat daemon status shows besides.
func (v *serviceView) details(w *tabwriter.Writer) {
	if v == nil || !v.Installed {
		return
	}
	from := "by moat daemon install"
	if v.Packaged {
		from = "by a package"
	}
	fmt.Fprintf(w, "installed\t%s, starts %s\n", from, v.Exe)
	fmt.Fprintf(w, "at login\t%s\n", choose(v.Enabled, "listens", "does not listen; moat daemon enable"))
	if v.Supervisor != "launchd" { // which always ends with the session
		fmt.Fprintf(w, "without one\t%s\n", choose(v.Linger, "runs", "ends with the last session; moat daemon install --linger"))
	}
	for _, sock := range v.Sockets {
		fmt.Fprintf(w, "socket %s\t%s, %s\n", sock.Name, sock.State, strings.Join(sock.Listen, ", "))
	}
	for _, path := range v.Drift {
		fmt.Fprintf(w, "differs\t%s is not as this version writes it; moat daemon install\n", path)
	}
	for _, path := range v.DropIns {
		fmt.Fprintf(w, "changed by\t%s\n", path)
	}
}

func choose(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}
