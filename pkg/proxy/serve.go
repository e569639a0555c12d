package proxy

import (
	"context"
	"net"
	"time"

	"github.com/moatd/moatd/pkg/internal/drain"
	"github.com/moatd/moatd/pkg/internal/framing"
)

const (
	// arrivalGrace is how long a client that was accepted may take to send its
	// CONNECT, and the request in its tunnel, once Serve is to end. From the
	// Shutdown of a server on, net/http drops what it reads.
	arrivalGrace = 5 * time.Second
	// cutGrace is how long a request whose connection was cut may take to end.
	cutGrace = time.Second
)

// Serve serves the proxy on the listeners, which it closes, until ctx ends. It
// then stops accepting, closes idle tunnels, lets the requests in flight end
// for as long as DrainLimit, cuts what is left, and returns nil. It can be
// called once. An error means that a listener failed.
func (p *Proxy) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	loops := []func() error{p.tunnels.Serve}
	for _, ln := range listeners {
		loops = append(loops, func() error { return p.plain.Serve(framing.Listener{Listener: p.conns.Track(ln)}) })
	}
	wait := drain.Start(ctx, end, loops...)
	<-ctx.Done()
	for _, ln := range listeners {
		_ = ln.Close() // what it says comes from Accept too
	}
	p.drain(context.WithoutCancel(ctx))
	return wait()
}

// drain ends the servers. Each connection is good for one request more, so that
// a client that was accepted is served, whatever it is about to send.
func (p *Proxy) drain(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, p.opts.DrainLimit)
	defer cancel()
	arriving, cancel := context.WithTimeout(limited, arrivalGrace)
	defer cancel()
	p.conns.Arrive(arriving, func() {
		p.tunnels.CloseIdle()
		p.plain.SetKeepAlivesEnabled(false)
	})
	_ = p.plain.Shutdown(limited) // an error means that the limit is reached;
	_ = p.tunnels.Shutdown(limited)
	if !p.conns.Wait(limited) { // what is left then is cut
		n := p.conns.Cut()
		p.cut.Store(int64(n))
		p.opts.Log.WithField("cut", n).Warn("drain limit reached: connections cut")
	}
	graced, cancel := context.WithTimeout(ctx, cutGrace)
	defer cancel()
	p.exchanges.Wait(graced) // for their lines in the log
	p.upstream.closeIdle()
}

// Open returns how many connections of clients are open.
func (p *Proxy) Open() int { return p.conns.Len() }

// Cut returns how many connections Serve has cut at its end, because they were
// open for longer than DrainLimit.
func (p *Proxy) Cut() int { return int(p.cut.Load()) }

// DropIdle closes the connections to upstreams that no request uses. After a
// sleep of the machine they look open and are dead.
func (p *Proxy) DropIdle() { p.upstream.closeIdle() }
