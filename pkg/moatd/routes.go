package moatd

import (
	"context"
	"net"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/fds"
	"github.com/moatd/moatd/pkg/routing"
)

// routes are the parts that serve the routes of agents.
type routes struct {
	table     *routing.RouteTable
	router    *routing.Router
	listeners []net.Listener // as the proxies; none if they are not wanted
	// kept says that every run is known, so that the routes of others can go.
	kept bool
}

// restoreRoutes opens the table. kept says whether all runs were restored: the
// routes of a run whose record cannot be read stay, as the record does.
func (d *parts) restoreRoutes(ctx context.Context, kept bool) error {
	table, err := routing.Open(d.store)
	if err != nil {
		return err
	}
	for _, err := range table.Problems() {
		d.problem("", err.Error())
	}
	d.importOld(ctx, daemon.Import{Routes: addTo(table)})
	d.routes.table, d.routes.kept = table, kept
	d.keepRoutes()
	d.server.SetRoutes(table)
	d.routes.router, err = routing.New(routing.Options{
		Table:       table,
		Certificate: d.leaves.Get,
		DrainLimit:  d.opts.Settings.DrainLimit,
		Control:     fds.Control,
		Log:         d.log,
	})
	return err
}

// keepRoutes removes the routes of runs that are gone.
func (d *parts) keepRoutes() {
	if !d.routes.kept {
		return
	}
	gone, err := d.routes.table.Keep(d.registry.Has)
	if err != nil {
		d.log.WithError(err).Error("routes of a run that is gone are still on disk")
	}
	for _, agent := range gone {
		d.log.WithField("agent", agent).Info("routes removed: their run is gone")
	}
}

// watchRoutes removes the routes of each run that goes, on whatever way. A run
// that a client unregisters has none left then.
func (d *parts) watchRoutes(ctx context.Context) error {
	for {
		changed := d.registry.Changed()
		d.keepRoutes()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
