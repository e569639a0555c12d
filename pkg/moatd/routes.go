package moatd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/routing"
)

// routes are the parts that serve the routes of agents.
type routes struct {
	table     *routing.RouteTable
	router    *routing.Router
	listeners []net.Listener // none if the port is taken or not wanted
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

// listenRouting takes the supervisor's listeners, or binds the address of the
// settings. Many programs want that port, and runs work without it: a port that
// is taken is a problem to tell of, under a supervisor or not.
func (d *parts) listenRouting(ctx context.Context) {
	d.routes.listeners = d.opts.Handed.Listeners(activation.Routing)
	if addr := d.opts.Settings.RoutingAddr; len(d.routes.listeners) == 0 && addr != "" {
		ln, err := activation.ListenTCP(ctx, addr)
		if err != nil {
			d.problem("", fmt.Sprintf("host names of agents are not served: %v (or routing_addr: off)", err))
			return
		}
		d.routes.listeners = []net.Listener{ln}
	}
	d.server.SetRoutingPort(portOf(d.routes.listeners))
}

// checkRouting asks for the page that every client gets.
func checkRouting(ctx context.Context, addr net.Addr) (err error) {
	at := addr.String()
	if addr.Network() == "tcp" {
		at = loopback(at)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, addr.Network(), at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends what waits below
	if _, err = conn.Write([]byte("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodHead})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, want %d", res.StatusCode, http.StatusOK)
	}
	return nil
}
