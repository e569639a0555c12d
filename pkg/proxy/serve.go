package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// cutGrace is how long a request whose connection was cut may take to end.
const cutGrace = time.Second

// Serve serves the proxy on the listeners, which it closes, until ctx ends. It
// then stops accepting, closes idle tunnels, lets the requests in flight end
// for as long as DrainLimit, cuts what is left, and returns nil. It can be
// called once. An error means that a listener failed.
func (p *Proxy) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	loops := make([]func() error, 0, len(listeners))
	for _, ln := range listeners {
		loops = append(loops, func() error { return p.plain.Serve(p.conns.track(ln)) })
	}
	accepting := start(end, loops...)
	serving := start(end, p.tunnels.Serve)
	<-ctx.Done()
	return p.drain(context.WithoutCancel(ctx), accepting, serving)
}

// start runs the loops, the first of which to return calls end. The function
// that it returns waits for them all and joins their errors.
func start(end func(), loops ...func() error) (wait func() error) {
	errs := make([]error, len(loops))
	var running sync.WaitGroup
	for i, loop := range loops {
		running.Go(func() {
			defer end()
			if err := loop(); !errors.Is(err, http.ErrServerClosed) {
				errs[i] = err
			}
		})
	}
	return func() error {
		running.Wait()
		return errors.Join(errs...)
	}
}

// drain ends the servers. The tunnels' is shut down after the one that feeds
// it has let go of its last connection: a client that was accepted is served,
// whatever it is about to send.
func (p *Proxy) drain(ctx context.Context, accepting, serving func() error) error {
	limited, cancel := context.WithTimeout(ctx, p.opts.DrainLimit)
	defer cancel()
	p.tunnels.CloseIdle()
	_ = p.plain.Shutdown(limited) // an error means that the limit is reached
	failed := accepting()
	p.conns.arriving.wait(limited)
	_ = p.tunnels.Shutdown(limited) // what is left is cut and counted below
	if !p.conns.open.wait(limited) {
		p.opts.Log.WithField("cut", p.conns.cut()).Warn("drain limit reached: connections cut")
	}
	failed = errors.Join(failed, serving())
	graced, cancel := context.WithTimeout(ctx, cutGrace)
	defer cancel()
	p.exchanges.wait(graced) // for their lines in the log
	p.upstream.closeIdle()
	return failed
}

// Open returns how many connections of clients are open.
func (p *Proxy) Open() int { return p.conns.open.len() }
