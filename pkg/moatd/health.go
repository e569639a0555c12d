package moatd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/fds"
	"github.com/moatd/moatd/pkg/internal/logging"
)

// report says READY once the daemon answers, and its status at each change,
// until ctx ends and all that is open has.
func (d *parts) report(ctx context.Context) error {
	changed := d.registry.Changed()
	if err := d.checkup().run(ctx); err != nil {
		return err
	}
	at := d.addresses()
	d.log.WithFields(logrus.Fields{
		"api": at.API, "proxy": at.Proxy, "routing": at.Routing, "version": d.opts.Version, "runs": d.registry.Count(),
		"fd_limit": fds.Limit(), logging.FieldMessageID: logging.MessageIDStarted,
	}).Info("moatd is ready")
	err := d.opts.Notify.Ready(d.status())
	if d.opts.Ready != nil {
		d.opts.Ready(at)
	}
	for {
		if err != nil {
			d.log.WithError(err).Warn("telling the service manager")
		}
		select {
		case <-changed:
			changed = d.registry.Changed()
		case <-d.news:
		case <-ctx.Done():
			return d.stopping()
		}
		err = d.opts.Notify.Status(d.status())
	}
}

// tellStatus has the status told anew.
func (d *parts) tellStatus() {
	select {
	case d.news <- struct{}{}:
	default: // it is going to be
	}
}

const (
	// drainTick is how often the status of a drain is brought up to date.
	drainTick = 250 * time.Millisecond
	// closeTime is what it takes, after the drain limit, to end what was cut and
	// to close the database.
	closeTime = 10 * time.Second
)

// stopping tells how many connections are open until none of the servers runs.
func (d *parts) stopping() error {
	left := d.draining()
	d.log.WithField("connections", d.connections()).WithField(logging.FieldMessageID, logging.MessageIDStopping).Info("moatd is stopping")
	if err := d.opts.Notify.Stopping(left, d.opts.Settings.DrainLimit+closeTime); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { d.serving.Wait(); close(ended) }()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-tick.C:
		}
		if now := d.draining(); now != left {
			left = now
			if err := d.opts.Notify.Status(left); err != nil {
				return err
			}
		}
	}
}

// connections returns how many connections of clients of the proxy and of the
// routes are open.
func (d *parts) connections() int { return d.proxy.Open() + d.routes.router.Open() }

func (d *parts) draining() string {
	return fmt.Sprintf("draining %d connections of %d runs, for %v at most", d.connections(), d.registry.Count(), d.opts.Settings.DrainLimit)
}

// farewell is the status of a daemon that has ended.
func (d *parts) farewell() string {
	text := "ended; the next connection starts it again"
	if cut := d.proxy.Cut() + d.routes.router.Cut(); cut > 0 {
		text = fmt.Sprintf("ended, with %d connections cut at the drain limit; the next connection starts it again", cut)
	}
	return text
}

// statusRuns is how many degraded runs the status names.
const statusRuns = 5

// status is the line that systemctl status shows.
func (d *parts) status() string {
	text := fmt.Sprintf("serving %d runs on %s", d.registry.Count(), strings.Join(addrs(bound(d.proxies)), " and "))
	if len(bound(d.proxies)) == 0 {
		text = fmt.Sprintf("the proxy is not served; %d runs", d.registry.Count())
	}
	if routing := d.addresses().Routing; routing != "" {
		text += "; routes on " + routing
	}
	degraded := d.registry.Degraded()
	for i, id := range degraded {
		switch {
		case i == 0:
			text += fmt.Sprintf("; %d degraded: %s", len(degraded), id)
		case i < statusRuns:
			text += ", " + id
		}
	}
	text += d.poorly()
	if n := len(d.known()); n > 0 {
		text += fmt.Sprintf("; %d problems, see moat status", n)
	}
	if d.exe.changed() {
		text += "; another moatd is installed: moat daemon restart"
	}
	return text
}

func addrs(listeners []net.Listener) []string {
	var all []string
	for _, ln := range listeners {
		all = append(all, ln.Addr().String())
	}
	return all
}

// vitals adds what the process knows of itself to the health.
func (d *parts) vitals(h *daemon.HealthResponse) {
	h.Exe, h.ExeChanged = d.exe.path, d.exe.changed()
	h.FDLimit, h.FDOpen = fds.Limit(), fds.Open()
}

// known returns what the user should know now.
func (d *parts) known() []string {
	all := d.problems.texts()
	if err := d.keys.Err(); err != nil {
		all = append(all, err.Error())
	}
	for _, err := range d.resolver.Problems() {
		all = append(all, err.Error())
	}
	if text := fds.Problem(fds.Limit(), fds.Open()); text != "" {
		all = append(all, text)
	}
	return append(all, d.outOfReach()...)
}

// record notes this daemon as the directory's. It stays noted when it ends: the
// next one takes its port over.
func (d *parts) record(context.Context) error { return d.putRecord() }

func (d *parts) putRecord() error {
	return daemon.WriteLockFile(d.opts.Settings.Home, daemon.LockInfo{
		PID:       os.Getpid(),
		ProxyPort: portOf(d.proxies),
		SockPath:  d.api.Addr().String(),
		StartedAt: time.Now(),
		Commit:    daemon.BuildCommit,
		Version:   d.opts.Version,
	})
}
