package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	initfiles "github.com/moatd/moatd/init"
)

// Start implements [Supervisor].
func (s *systemd) Start(ctx context.Context) error {
	units, err := s.known(ctx, "start")
	if err != nil {
		return err
	}
	return s.serve(ctx, units, "start")
}

// Restart implements [Supervisor]. The sockets stay open.
func (s *systemd) Restart(ctx context.Context) error {
	units, err := s.known(ctx, "restart")
	if err != nil {
		return err
	}
	return s.serve(ctx, units, "restart")
}

// serve starts or restarts the service, and opens its sockets. Sockets come before the service: a
// socket whose service runs already would be refused.
func (s *systemd) serve(ctx context.Context, units map[string]properties, verb string) error {
	s.forgive(ctx)
	closed := notRunning(units)
	running := units[serviceUnit].running()
	switch {
	case running && len(closed) > 0:
		s.reopen(ctx, closed)
	case running && verb == "restart":
		return s.explain(ctx, s.manage(ctx, verb))
	default:
		if len(closed) > 0 {
			_, _ = s.ctl(ctx, append([]string{"start"}, closed...)...) // judged by what is then
		}
		if err := s.explain(ctx, s.manage(ctx, "start")); err != nil {
			return err
		}
	}
	after, err := s.show(ctx)
	if err != nil {
		return err
	}
	return errors.Join(s.listening(after, "moatd.socket"), s.listening(after, "moatd-proxy.socket"), s.started(after))
}

// reopen opens sockets anew under a service that runs; what came of it, the
// caller asks. A socket whose service is active would be refused, and a restart of
// all of them at once is a transaction for each. A connection to another socket
// may start the service in between: it wants the sockets, so they come first then
// too.
func (s *systemd) reopen(ctx context.Context, sockets []string) {
	for _, args := range [][]string{
		append([]string{"stop"}, sockets...),
		{"stop", serviceUnit},
		append([]string{"start"}, sockets...),
		{"start", serviceUnit},
	} {
		_, _ = s.ctl(ctx, args...) // as the comment says
	}
}

// forgive makes systemd forget failures and counted starts, which would make it
// refuse the next one.
func (s *systemd) forgive(ctx context.Context) {
	for _, name := range initfiles.UnitNames() {
		_, _ = s.ctl(ctx, "reset-failed", name) // fails for a unit that is not loaded, which has nothing to forgive
	}
}

// notRunning returns the sockets that do not listen, and could.
func notRunning(units map[string]properties) []string {
	return slices.DeleteFunc(socketUnits(), func(name string) bool {
		return units[name].running() || units[name].get("LoadState") != "loaded"
	})
}

// listening says why a socket does not listen.
func (s *systemd) listening(units map[string]properties, name string) error {
	u := units[name]
	if u.running() {
		return nil
	}
	what := fmt.Sprintf("%s does not listen on %s: %s", name, strings.Join(u.listen(), ", "), u.get("Result"))
	if u.get("Result") == "resources" {
		what += ", another program has the address"
	}
	return &Problem{What: what, Todo: "moat doctor tells whose it is"}
}

// started says why the service does not run.
func (s *systemd) started(units map[string]properties) error {
	u := units[serviceUnit]
	if u.running() && u.get("SubState") != "auto-restart" {
		return nil
	}
	what := "moatd does not run: " + u.get("Result")
	if text := u.get("StatusText"); text != "" {
		what += ": " + text
	}
	return &Problem{What: what, Todo: s.moat("logs")}
}

// explain replaces the error of a command by what systemd knows of the service.
func (s *systemd) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	units, failed := s.show(ctx)
	if failed != nil {
		return err
	}
	if why := s.started(units); why != nil {
		return why
	}
	return err
}

// Stop implements [Supervisor].
func (s *systemd) Stop(ctx context.Context) error {
	if _, err := s.known(ctx, "stop"); err != nil {
		return err
	}
	return s.stop(ctx)
}

// stop closes the sockets first: a connection would start the service again.
func (s *systemd) stop(ctx context.Context) error {
	_, err := s.ctl(ctx, append([]string{"stop"}, socketUnits()...)...)
	return errors.Join(err, s.manage(ctx, "stop"))
}

// Reload implements [Supervisor].
func (s *systemd) Reload(ctx context.Context) error {
	units, err := s.known(ctx, "reload")
	if err != nil {
		return err
	}
	if !units[serviceUnit].running() {
		return &Problem{What: "moatd does not run, so there is nothing to reload", Todo: s.moat("start"), Kind: ErrNotRunning}
	}
	_, err = s.ctl(ctx, "reload", serviceUnit)
	return err
}

// Enable implements [Supervisor].
func (s *systemd) Enable(ctx context.Context) error {
	if _, err := s.known(ctx, "enable"); err != nil {
		return err
	}
	return s.enable(ctx)
}

func (s *systemd) enable(ctx context.Context) error {
	units, err := s.show(ctx)
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(socketUnits(), func(name string) bool { return units[name].get("LoadState") != "loaded" })
	_, err = s.ctl(ctx, append([]string{"enable", "--quiet"}, names...)...)
	return err
}

// Disable implements [Supervisor].
func (s *systemd) Disable(ctx context.Context) error {
	if _, err := s.known(ctx, "disable"); err != nil {
		return err
	}
	if _, err := s.ctl(ctx, append([]string{"disable", "--quiet"}, socketUnits()...)...); err != nil {
		return err
	}
	units, err := s.show(ctx)
	if err == nil && units["moatd.socket"].enabled() {
		return &Problem{What: "moatd.socket is still enabled, by an administrator for all users", Todo: s.line("mask", strings.Join(socketUnits(), " "))}
	}
	return err
}
