package moatd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
)

// listen takes the listeners of the supervisor, or binds those that it has not
// handed over.
func (d *parts) listen(ctx context.Context) error {
	if err := d.listenAPI(ctx); err != nil {
		return err
	}
	d.proxies = d.opts.Handed.Listeners(activation.Proxy)
	if len(d.proxies) == 0 {
		if err := d.listenProxy(ctx); err != nil {
			return errors.Join(err, d.api.Close())
		}
	}
	d.listenRouting(ctx)
	d.server.SetProxyPort(portOf(d.proxies))
	return nil
}

func (d *parts) listenAPI(ctx context.Context) (err error) {
	switch handed := d.opts.Handed.Listeners(activation.API); len(handed) {
	case 0:
		d.api, err = activation.ListenUnix(ctx, d.opts.Settings.APISocket)
		return err
	case 1:
		d.api = handed[0]
		return nil
	default:
		return fmt.Errorf("%w: %d sockets are called %q; one is enough", ErrConfig, len(handed), activation.API)
	}
}

// listenProxy binds the proxy's port. Under a supervisor a port that is taken
// must not take the API down too: the API is where the user learns of it.
func (d *parts) listenProxy(ctx context.Context) error {
	ln, err := d.bindProxy(ctx)
	if err == nil {
		d.proxies = []net.Listener{ln}
		return nil
	}
	if d.opts.Handed.Any() {
		d.problem("", fmt.Sprintf("the proxy is not served: %v", err))
		return nil
	}
	return err
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

// portOf returns the port of the first of the listeners, 0 if there is none.
func portOf(listeners []net.Listener) int {
	if len(listeners) == 0 {
		return 0
	}
	if a, ok := listeners[0].Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// addresses returns where the daemon listens.
func (d *parts) addresses() Addresses {
	a := Addresses{API: d.api.Addr().String()}
	if len(d.proxies) > 0 {
		a.Proxy = d.proxies[0].Addr().String()
	}
	if len(d.routes.listeners) > 0 {
		a.Routing = d.routes.listeners[0].Addr().String()
	}
	return a
}

// record notes this daemon as the directory's. It stays noted when it ends: the
// next one takes its port over.
func (d *parts) record(context.Context) error {
	return daemon.WriteLockFile(d.opts.Settings.Home, daemon.LockInfo{
		PID:       os.Getpid(),
		ProxyPort: portOf(d.proxies),
		SockPath:  d.api.Addr().String(),
		StartedAt: time.Now(),
		Commit:    daemon.BuildCommit,
		Version:   d.opts.Version,
	})
}
