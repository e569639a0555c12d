package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
)

// proxyAnswers asks the proxy the way a run does. Without the permission to
// start a daemon it asks only one that runs.
func (s *scene) proxyAnswers(ctx context.Context) Verdict {
	addr := s.proxyAddr()
	switch {
	case !s.running() && s.health == nil:
		return skip("no daemon runs; moat doctor --start would start one and ask it")
	case !addr.IsValid() || addr.Port() == 0:
		return skip("the address of the proxy is not known")
	}
	return judgeProxyAnswer(addr, Dial(ctx, dialable(addr)))
}

// proxyAddr is where the proxy should be reached from this machine.
func (s *scene) proxyAddr() netip.AddrPort {
	actual := 0
	if s.health != nil {
		actual = s.health.ProxyPort
	}
	return s.port("proxy", s.opts.Settings.ProxyAddr, actual).addr
}

func judgeProxyAnswer(addr netip.AddrPort, err error) Verdict {
	if err != nil {
		return fail(fixRestart, "the proxy on %s does not answer: %v", addr, err)
	}
	return ok("the proxy on %s asks for a token", addr)
}

// errStranger reports that somebody else than moatd answered.
var errStranger = errors.New("who answers there is not moatd")

// Dial asks the proxy at addr, a host and a port, for something without a token,
// which it must refuse as a proxy does. It returns nil if moatd answers there.
func Dial(ctx context.Context, addr string) (err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(aLongTimeAgo) }) // ends what waits below
	defer stop()
	if _, err = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: moatd\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusProxyAuthRequired {
		return fmt.Errorf("%w: status %d", errStranger, res.StatusCode)
	}
	return nil
}
