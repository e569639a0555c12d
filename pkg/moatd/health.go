package moatd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/logging"
)

// report says READY once the daemon answers, and its status at each change,
// until ctx ends.
func (d *parts) report(ctx context.Context) error {
	changed := d.registry.Changed()
	if err := d.check(ctx); err != nil {
		return err
	}
	at := d.addresses()
	d.log.WithFields(logrus.Fields{
		"api": at.API, "proxy": at.Proxy, "routing": at.Routing, "version": d.opts.Version, "runs": d.registry.Count(),
		logging.FieldMessageID: logging.MessageIDStarted,
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
			err = d.opts.Notify.Status(d.status())
		case <-ctx.Done():
			return d.stopping()
		}
	}
}

func (d *parts) stopping() error {
	open := d.proxy.Open()
	d.log.WithField("connections", open).WithField(logging.FieldMessageID, logging.MessageIDStopping).Info("moatd is stopping")
	return d.opts.Notify.Stopping(fmt.Sprintf("draining %d connections of %d runs", open, d.registry.Count()))
}

// statusRuns is how many degraded runs the status names.
const statusRuns = 5

// status is the line that systemctl status shows.
func (d *parts) status() string {
	text := fmt.Sprintf("serving %d runs on %s", d.registry.Count(), strings.Join(d.proxyAddrs(), " and "))
	if len(d.proxies) == 0 {
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
	if n := len(d.known()); n > 0 {
		text += fmt.Sprintf("; %d problems, see moat status", n)
	}
	return text
}

func (d *parts) proxyAddrs() []string {
	var addrs []string
	for _, ln := range d.proxies {
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs
}

// check asks the database and each listener for an answer, the way a client
// would: what the kernel takes but nobody accepts is found.
func (d *parts) check(ctx context.Context) error {
	if err := d.store.Check(ctx); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	if _, err := daemon.NewClient(d.api.Addr().String()).Health(ctx); err != nil {
		return fmt.Errorf("the API does not answer: %w", err)
	}
	for _, ln := range d.proxies {
		if !present(ln.Addr()) {
			continue
		}
		if err := checkProxy(ctx, ln.Addr().String()); err != nil {
			return fmt.Errorf("the proxy on %s does not answer: %w", ln.Addr(), err)
		}
	}
	for _, ln := range d.routes.listeners {
		if err := checkRouting(ctx, ln.Addr()); err != nil {
			return fmt.Errorf("the routes on %s are not answered: %w", ln.Addr(), err)
		}
	}
	return nil
}

// present reports whether this machine has the address now. That of a bridge is
// listened on before there is a bridge (FreeBind=), and nobody can ask there yet.
func present(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() || tcp.IP.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(all, func(a net.Addr) bool {
		own, ok := a.(*net.IPNet)
		return ok && own.IP.Equal(tcp.IP)
	})
}

// checkProxy makes a request without a token, which the proxy must challenge.
func checkProxy(ctx context.Context, addr string) (err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", loopback(addr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends what waits below
	if _, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: moatd\r\nConnection: close\r\n\r\n")); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusProxyAuthRequired {
		return fmt.Errorf("status %d, want %d", res.StatusCode, http.StatusProxyAuthRequired)
	}
	return nil
}

// loopback returns where this machine reaches a listener: one for all addresses
// is at the loopback address.
func loopback(addr string) string {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().IsUnspecified() {
		return addr
	}
	local := netip.IPv6Loopback()
	if at.Addr().Is4() {
		local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(local, at.Port()).String()
}
