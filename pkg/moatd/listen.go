package moatd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/fds"
)

// listen takes the listeners of the supervisor, or binds those that it has not
// handed over.
func (d *parts) listen(ctx context.Context) error {
	if err := d.listenAPI(ctx); err != nil {
		return err
	}
	if err := d.listenProxy(ctx); err != nil {
		return errors.Join(err, d.api.Close())
	}
	d.listenRouting(ctx)
	d.tellPorts()
	return nil
}

func (d *parts) listenAPI(ctx context.Context) (err error) {
	switch handed := d.opts.Handed.Listeners(activation.API); len(handed) {
	case 0:
		d.api, err = activation.ListenUnix(ctx, d.opts.Settings.APISocket)
		if err == nil || errors.Is(err, activation.ErrInUse) {
			return err
		}
		return mendable(err)
	case 1:
		d.api = handed[0]
		return nil
	default:
		return fmt.Errorf("%w: %d sockets are called %q; one is enough", ErrConfig, len(handed), activation.API)
	}
}

// The names of the problems that go away when a port becomes free.
const (
	problemProxyPort   = "proxy port"
	problemRoutingPort = "routing port"
)

// listenProxy binds the proxy's port, unless it is handed over. Under a supervisor
// a port that is taken must not take the API down too: the API is where the user
// learns of it. The port is served as soon as it is free.
func (d *parts) listenProxy(ctx context.Context) error {
	d.proxies = d.opts.Handed.Listeners(activation.Proxy)
	if len(d.proxies) > 0 {
		return nil
	}
	ln, err := d.bindProxy(ctx)
	switch {
	case err == nil:
		d.proxies = []net.Listener{ln}
	case errors.Is(err, ErrConfig) || !d.opts.Handed.Any():
		return err
	default:
		d.hindered(problemProxyPort, fmt.Sprintf("the proxy is not served: %v", err))
		d.proxies = d.later(problemProxyPort, d.bindProxy)
	}
	return nil
}

// bindProxy binds the address of the settings. Where that leaves the port open,
// the port of the last daemon comes first: it is in the environment of the runs.
func (d *parts) bindProxy(ctx context.Context) (net.Listener, error) {
	addr, err := netip.ParseAddrPort(d.opts.Settings.ProxyAddr)
	if err != nil {
		return nil, fmt.Errorf("%w: proxy_addr: %w", ErrConfig, err)
	}
	if last := d.lastPort(); addr.Port() == 0 && last != 0 {
		if ln, err := activation.ListenTCP(ctx, netip.AddrPortFrom(addr.Addr(), last).String()); err == nil {
			return ln, nil
		}
	}
	return activation.ListenTCP(ctx, addr.String())
}

func (d *parts) lastPort() uint16 {
	last, err := daemon.ReadLockFile(d.opts.Settings.Home)
	if err != nil || last == nil || last.ProxyPort < 0 || last.ProxyPort > 65535 {
		return 0 // not known, so any port will do
	}
	return uint16(last.ProxyPort)
}

// listenRouting takes the supervisor's listeners, or binds the address of the
// settings. Many programs want that port, and runs work without it: a port that
// is taken is a problem to tell of, under a supervisor or not.
func (d *parts) listenRouting(ctx context.Context) {
	d.routes.listeners = d.opts.Handed.Listeners(activation.Routing)
	addr := d.opts.Settings.RoutingAddr
	if len(d.routes.listeners) > 0 || addr == "" {
		return
	}
	bind := func(ctx context.Context) (net.Listener, error) { return activation.ListenTCP(ctx, addr) }
	ln, err := bind(ctx)
	if err != nil {
		d.hindered(problemRoutingPort, fmt.Sprintf("host names of agents are not served: %v (or routing_addr: off)", err))
		d.routes.listeners = d.later(problemRoutingPort, bind)
		return
	}
	d.routes.listeners = []net.Listener{ln}
}

// hindered tells of a problem that may go away.
func (d *parts) hindered(name, text string) {
	d.problems.add(name, text)
	d.log.Error(text)
}

// later returns a listener that ends the problem with the name once it is bound.
func (d *parts) later(name string, bind func(context.Context) (net.Listener, error)) []net.Listener {
	return []net.Listener{activation.ListenLater(bind, func() { d.healed(name) })}
}

// healed goes on as if the port had been free from the start.
func (d *parts) healed(name string) {
	d.problems.gone(name)
	d.tellPorts()
	if err := d.putRecord(); err != nil {
		d.log.WithError(err).Warn("the port is not on record for the next daemon")
	}
	at := d.addresses()
	d.log.WithField("proxy", at.Proxy).WithField("routing", at.Routing).Info("a port that was taken is free, and served now")
	d.tellStatus()
}

// tellPorts lets the API know the ports that are served.
func (d *parts) tellPorts() {
	d.server.SetProxyPort(portOf(d.proxies))
	d.server.SetRoutingPort(portOf(d.routes.listeners))
}

// bound returns the listeners that have an address now.
func bound(listeners []net.Listener) []net.Listener {
	var all []net.Listener
	for _, ln := range listeners {
		if later, ok := ln.(*activation.Later); ok {
			ln = later.Bound()
		}
		if ln != nil {
			all = append(all, ln)
		}
	}
	return all
}

// sparing returns the listeners so that their clients leave descriptors to others.
func (d *parts) sparing(listeners []net.Listener) []net.Listener {
	all := make([]net.Listener, len(listeners))
	for i, ln := range listeners {
		all[i] = fds.Clients(ln, d.sparingly())
	}
	return all
}

func (d *parts) sparingly() fds.Options {
	return fds.Options{
		Limit: fds.Limit(),
		Short: func(err error) {
			d.log.WithError(err).Warn("file descriptors run short: new connections wait")
			d.tellStatus()
		},
		Over: func() {
			d.log.Info("there are file descriptors again: connections are accepted")
			d.tellStatus()
		},
	}
}

// portOf returns the port of the first of the listeners, 0 if there is none.
func portOf(listeners []net.Listener) int {
	for _, ln := range bound(listeners) {
		if a, ok := ln.Addr().(*net.TCPAddr); ok {
			return a.Port
		}
	}
	return 0
}

// addresses returns where the daemon listens.
func (d *parts) addresses() Addresses {
	a := Addresses{API: d.api.Addr().String()}
	if all := bound(d.proxies); len(all) > 0 {
		a.Proxy = all[0].Addr().String()
	}
	if all := bound(d.routes.listeners); len(all) > 0 {
		a.Routing = all[0].Addr().String()
	}
	return a
}
