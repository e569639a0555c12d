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

	"github.com/moatd/moatd/pkg/daemon"
)

// A checkup asks the database and each listener for an answer, the way a client
// would: what the kernel takes but nobody accepts is found. It asks all at once,
// so that on a slow machine the times do not add up, and none that has not
// answered the last question. It is not safe for concurrent use.
type checkup struct {
	parts *parts
	open  map[string]chan error // by part; of the questions without an answer
}

func (d *parts) checkup() *checkup { return &checkup{d, make(map[string]chan error)} }

// A question is what a part is asked; what says what is wrong without an answer.
type question struct {
	what string
	ask  func(context.Context) error
}

// questions returns those to the parts as they are now.
func (d *parts) questions() []question {
	list := []question{
		{"the database does not answer", d.store.Check},
		{"the API does not answer", func(ctx context.Context) error {
			_, err := daemon.NewClient(d.api.Addr().String()).Health(ctx)
			return err
		}},
	}
	for _, ln := range bound(d.proxies) {
		if !present(ln.Addr()) {
			continue
		}
		list = append(list, question{fmt.Sprintf("the proxy on %s does not answer", ln.Addr()), func(ctx context.Context) error {
			return askFor(ctx, ln.Addr(), http.MethodGet, http.StatusProxyAuthRequired) // without a token, it must be challenged
		}})
	}
	for _, ln := range bound(d.routes.listeners) {
		list = append(list, question{fmt.Sprintf("the routes on %s are not answered", ln.Addr()), func(ctx context.Context) error {
			return askFor(ctx, ln.Addr(), http.MethodHead, http.StatusOK) // the page that every client gets
		}})
	}
	return list
}

// run returns once each part has answered or ctx has ended, whatever they do. The
// error says which parts are in a bad way.
func (c *checkup) run(ctx context.Context) error {
	list := c.parts.questions()
	for _, q := range list {
		before, answer := c.open[q.what], make(chan error, 1)
		c.open[q.what] = answer
		go func() {
			if before != nil {
				<-before //nolint:errcheck // it comes too late, and says nothing of now
			}
			answer <- q.ask(ctx)
		}()
	}
	var errs []error
	for _, q := range list {
		if err := c.answer(ctx, q); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", q.what, err))
		}
	}
	return errors.Join(errs...)
}

// answer waits for that to a question. What a question that ran out of time says
// of its connection is of no interest.
func (c *checkup) answer(ctx context.Context, q question) error {
	select {
	case err := <-c.open[q.what]:
		return c.judge(ctx, q, err)
	case <-ctx.Done():
	}
	select {
	case err := <-c.open[q.what]: // it was there while another was waited for
		return c.judge(ctx, q, err)
	default:
		return context.Cause(ctx)
	}
}

func (c *checkup) judge(ctx context.Context, q question, err error) error {
	delete(c.open, q.what)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// watchdog tells the service manager as long as all is well. What is not goes
// to the log too, which outlives this process.
func (d *parts) watchdog(ctx context.Context) error {
	c, healthy := d.checkup(), true
	return d.opts.Notify.Watchdog(ctx, func(ctx context.Context) error {
		err := c.run(ctx)
		switch {
		case errors.Is(ctx.Err(), context.Canceled): // the daemon ends, which is no failure
		case err != nil && healthy:
			d.log.WithError(err).Error("moatd is stuck; unless this passes, the service manager will kill it and start it anew")
		case err == nil && !healthy:
			d.log.Info("moatd is no longer stuck")
		}
		healthy = err == nil
		return err
	})
}

// askFor makes a request without a token and expects a status.
func askFor(ctx context.Context, at net.Addr, method string, want int) error {
	addr := at.String()
	if strings.HasPrefix(at.Network(), "tcp") {
		addr = loopback(addr)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, at.Network(), addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends what waits below
	if _, err = fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		return fmt.Errorf("status %d, want %d", res.StatusCode, want)
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
