package routing

import (
	"bytes"
	"context"
	"log"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/drain"
	"github.com/moatd/moatd/pkg/internal/fds"
)

// arrivalGrace is how long a client that was accepted may take to send its
// request once Serve is to end. From the Shutdown of a server on, net/http drops
// what it reads.
const arrivalGrace = 5 * time.Second

// cutGrace is how long a request whose connection was cut may take to end.
const cutGrace = time.Second

// Serve serves the routes on the listeners, which it closes, until ctx ends. It
// then stops accepting, closes idle connections, lets the requests in flight end
// for as long as DrainLimit, cuts what is left, and returns nil. It can be called
// once. An error means that a listener failed.
func (rt *Router) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	listeners = slices.Clone(listeners)
	loops := []func() error{func() error { return rt.server.Serve(rt.queue) }}
	for i, ln := range listeners {
		listeners[i] = fds.Few(ln, fds.Options{Short: rt.short})
		loops = append(loops, func() error { return rt.accept(rt.conns.Track(listeners[i])) })
	}
	wait := drain.Start(ctx, end, loops...)
	<-ctx.Done()
	for _, ln := range listeners {
		_ = ln.Close() // what it says comes from Accept too
	}
	rt.drain(context.WithoutCancel(ctx))
	return wait()
}

func (rt *Router) short(err error) { rt.opts.Log.WithError(err).Warn("routing: connections wait") }

// drain ends the server. Each connection is good for one request more, so that
// a client that was accepted is served, whatever it is about to send.
func (rt *Router) drain(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, rt.opts.DrainLimit)
	defer cancel()
	arriving, cancel := context.WithTimeout(limited, arrivalGrace)
	defer cancel()
	rt.conns.Arrive(arriving, rt.closeIdle)
	_ = rt.server.Shutdown(limited) // an error means that the limit is reached;
	if !rt.conns.Wait(limited) {    // what is left then is cut
		n := rt.conns.Cut()
		rt.cut.Store(int64(n))
		rt.opts.Log.WithField("cut", n).Warn("routing: drain limit reached: connections cut")
	}
	graced, cancel := context.WithTimeout(ctx, cutGrace)
	defer cancel()
	rt.running.Wait(graced)
	rt.transport.CloseIdleConnections()
}

// closeIdle closes the connections without a request, and each other one after
// the answer that it is waiting for.
func (rt *Router) closeIdle() {
	rt.server.SetKeepAlivesEnabled(false)
	for _, c := range rt.clients.All() {
		if c.stage.Load() == stageIdle {
			_ = c.Close() // nobody waits for it
		}
	}
}

// connectionLog is where net/http tells of broken handshakes and the like,
// which clients cause all the time, and of panics, which are ours.
func connectionLog(lg *logrus.Logger) *log.Logger { return log.New(lineWriter{lg}, "", 0) }

type lineWriter struct{ log *logrus.Logger }

// Write implements [io.Writer]; each call is one message.
func (w lineWriter) Write(line []byte) (int, error) {
	level := logrus.DebugLevel
	if bytes.Contains(line, []byte("panic serving")) {
		level = logrus.ErrorLevel
	}
	w.log.Log(level, string(bytes.TrimSpace(line)))
	return len(line), nil
}

var _ http.Handler = (*Router)(nil)
