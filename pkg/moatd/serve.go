package moatd

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/fds"
	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/logging"
	"github.com/moatd/moatd/pkg/internal/tasks"
)

// Serve runs a daemon until ctx ends, a client asks it to end, or it has had no
// run for the time of its settings, and returns nil then. An error means that
// it could not start or go on; [ExitCode] tells with which code to end.
func Serve(ctx context.Context, opts Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d, err := open(ctx, opts)
	if err != nil {
		return err
	}
	d.server.SetOnShutdown(stop)
	err = tasks.Run(ctx, d.tasks()...)
	if errors.Is(err, daemon.ErrIdle) {
		d.log.Info("no runs: ending until the next connection")
		err = nil
	}
	return errors.Join(err, d.close(), d.opts.Notify.Status(d.farewell()))
}

// tasks are the parts that run together. When one ends, all do, each in its own
// orderly way.
func (d *parts) tasks() []tasks.Task {
	list := []tasks.Task{
		d.serves("api", func(ctx context.Context) error {
			return d.server.Serve(ctx, fds.Few(d.api, d.sparingly()))
		}),
		{Name: "status", Run: d.report},
		{Name: "watchdog", Run: d.watchdog},
		{Name: "attend", Run: d.attend},
		{Name: "hangup", Run: d.hangup},
		{Name: "heal", Run: d.registry.Heal},
		{Name: "credentials", Run: d.watch},
		{Name: "key", Run: d.unlock},
		{Name: "renew", Run: d.keeper.Run},
		{Name: "routes", Run: d.watchRoutes},
	}
	if len(d.proxies) > 0 {
		list = append(list, d.serves("proxy", func(ctx context.Context) error {
			return d.proxy.Serve(ctx, d.sparing(d.proxies)...)
		}))
	}
	if d.helper != nil {
		list = append(list, tasks.Task{Name: "helper", Run: d.helper.Run})
	}
	if d.opts.Containers != nil {
		list = append(list, tasks.Task{Name: "liveness", Run: d.liveness})
	}
	if len(d.routes.listeners) > 0 {
		list = append(list, d.serves("routing", func(ctx context.Context) error {
			return d.routes.router.Serve(ctx, d.sparing(d.routes.listeners)...)
		}))
	}
	if idle := d.opts.Settings.IdleExit; idle > 0 {
		list = append(list, tasks.Task{Name: "idle", Run: func(ctx context.Context) error {
			return d.registry.WaitIdle(ctx, idle, func() bool { return d.connections() > 0 })
		}})
	}
	return list
}

// serves returns the task of a server, for whose end a drain waits.
func (d *parts) serves(name string, run func(context.Context) error) tasks.Task {
	d.serving.Add(1)
	return tasks.Task{Name: name, Run: func(ctx context.Context) error {
		defer d.serving.Done()
		return run(ctx)
	}}
}

// liveness removes the runs whose containers are gone.
func (d *parts) liveness(ctx context.Context) error {
	daemon.NewLivenessCheckerWith(daemon.LivenessOptions{
		Registry:  d.registry,
		Checker:   d.opts.Containers,
		Persister: d.persister,
		Log:       d.log,
	}).Run(ctx)
	return nil
}

// watch gives live runs what is granted or revoked, and mends degraded ones.
func (d *parts) watch(ctx context.Context) error {
	home := d.opts.Settings.Home
	return grants.Watch(ctx, []string{config.CredentialsDir(home), config.ProvidersDir(home)}, func() { d.reload(ctx) })
}

// hangup reloads at each SIGHUP.
func (d *parts) hangup(ctx context.Context) error {
	for {
		select {
		case <-d.opts.Hangup:
			err := errors.Join(d.opts.Notify.Reloading(), d.reread())
			err = errors.Join(err, d.reloadAll(ctx))
			err = errors.Join(err, d.opts.Notify.Ready(d.status()))
			if err != nil {
				d.log.WithError(err).Warn("reload")
				continue
			}
			d.log.Info("reloaded")
		case <-ctx.Done():
			return nil
		}
	}
}

// reread says what became of the settings since the start. They count from the
// next one, which costs running agents nothing.
func (d *parts) reread() error {
	if d.opts.Reread == nil {
		return nil
	}
	now, err := d.opts.Reread()
	if err != nil {
		return fmt.Errorf("the settings would not do for a start: %w", err)
	}
	if now != d.opts.Settings {
		d.log.Info("the settings have changed; they count from the next start: systemctl --user restart moatd")
	}
	return nil
}

// reloadAll asks for the key first, if it could not be had.
func (d *parts) reloadAll(ctx context.Context) error {
	_ = d.keys.Unlock(ctx) // what it says is among the problems
	d.reload(ctx)
	return nil
}

// reload reads providers and credentials anew and gives them to the live runs.
func (d *parts) reload(ctx context.Context) {
	if err := d.resolver.Reload(); err != nil { // its providers are out of use, and health says so too
		d.log.WithError(err).Warn("reading the providers")
	}
	if degraded := d.registry.Refresh(ctx); degraded > 0 {
		d.log.WithField("runs", degraded).WithField(logging.FieldMessageID, logging.MessageIDRunDegraded).
			Warn("runs lack a credential; moat ls says which")
	}
}
