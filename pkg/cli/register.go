package cli

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"syscall"

	"github.com/moatd/moatd/pkg/daemon"
)

// register registers a run. Where nobody listens, neither a daemon nor a service
// manager, it starts a daemon first.
func (a *app) register(ctx context.Context, req daemon.RegisterRequest) (*daemon.Client, *daemon.RegisterResponse, error) {
	client := a.client()
	if err := a.meet(ctx, client); err != nil {
		return nil, nil, err
	}
	reg, err := client.RegisterRun(ctx, req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		if client, err = a.start(); err != nil { //nolint:contextcheck // EnsureRunning is of the fixed API, which has none, and has a limit of its own
			return nil, nil, err
		}
		reg, err = client.RegisterRun(ctx, req)
	}
	if err != nil {
		return nil, nil, a.reached(err)
	}
	return client, reg, nil
}

// start starts a daemon with the port of the settings.
func (a *app) start() (*daemon.Client, error) {
	at, err := netip.ParseAddrPort(a.settings.ProxyAddr)
	if err != nil {
		return nil, err
	}
	client, err := daemon.EnsureRunning(a.settings.Home, int(at.Port()))
	if err != nil {
		return nil, hinted{err, startHint}
	}
	return client.WithVersion(a.process.Version), nil
}
