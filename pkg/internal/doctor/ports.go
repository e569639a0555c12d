package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A holder is who listens on a port.
type holder struct {
	pid  int    // 0 if it is not known: the process is another user's
	name string // of its program, "" if it is not known
	uid  int    // -1 if it is not known
}

func (h holder) String() string {
	switch {
	case h.pid != 0:
		return fmt.Sprintf("%s (process %d)", h.name, h.pid)
	case h.uid >= 0:
		return fmt.Sprintf("a process of user %d", h.uid)
	}
	return "another process"
}

// A port is one that moatd should have.
type port struct {
	name    string         // "proxy" or "routing"
	addr    netip.AddrPort // zero if it is not used
	held    bool           // the service manager listens there
	running bool           // the daemon runs
	served  bool           // the daemon says that it listens there
	ours    []int          // processes of moatd
}

func (s *scene) port(name, setting string, actual int) port {
	p := port{name: name, running: s.running()}
	p.addr, _ = netip.ParseAddrPort(setting) // empty for no routes; the settings are checked
	if unit, ok := s.unit(name); ok && len(unit.Listen) > 0 {
		if addr, err := netip.ParseAddrPort(unit.Listen[0]); err == nil {
			p.addr = addr
		}
		p.held = unit.State == "active"
	} else if actual > 0 {
		p.addr = netip.AddrPortFrom(p.addr.Addr(), uint16(actual)) //nolint:gosec // a port
	}
	p.served = actual > 0 && s.health != nil && int(p.addr.Port()) == actual
	for _, pid := range []int{s.pid(), s.status.PID} {
		if pid > 0 {
			p.ours = append(p.ours, pid)
		}
	}
	return p
}

// proxyPort finds out who listens on the port of the proxy.
func (s *scene) proxyPort(ctx context.Context) Verdict {
	actual := 0
	switch {
	case s.health != nil:
		actual = s.health.ProxyPort
	case s.lock != nil:
		actual = s.lock.ProxyPort // which the next daemon takes over
	}
	return s.portOf(ctx, s.port("proxy", s.opts.Settings.ProxyAddr, actual))
}

func (s *scene) routingPort(ctx context.Context) Verdict {
	actual := 0
	if s.health != nil {
		actual = s.health.RoutingPort
	}
	p := s.port("routing", s.opts.Settings.RoutingAddr, actual)
	if unit, ok := s.unit("routing"); s.opts.Settings.RoutingAddr == "" || ok && unit.State == "masked" {
		return skip("the names of agents are not served")
	}
	v := s.portOf(ctx, p)
	if v.Status == Fail {
		v.Status = Warn // runs do without
	}
	return v
}

func (s *scene) portOf(ctx context.Context, p port) Verdict {
	if !p.addr.IsValid() || p.addr.Port() == 0 {
		return skip("the port is picked when the daemon starts")
	}
	if p.held { // then nobody else has it
		return judgePort(p, nil)
	}
	holders, err := s.holders(ctx, p.addr)
	if err != nil {
		return skip("who listens on %s cannot be found out: %v", p.addr, err)
	}
	return judgePort(p, holders)
}

// judgePort judges who listens on a port of moatd's.
func judgePort(p port, holders []holder) Verdict {
	own := func(h holder) bool { return slices.Contains(p.ours, h.pid) }
	// Of a daemon that keeps others from looking at it, only the user is known.
	hidden := func(h holder) bool { return h.pid == 0 && p.served }
	thief := slices.IndexFunc(holders, func(h holder) bool { return !own(h) && !hidden(h) })
	switch {
	case p.held:
		return ok("the service manager listens on %s", p.addr)
	case slices.ContainsFunc(holders, own), thief < 0 && slices.ContainsFunc(holders, hidden):
		return ok("moatd listens on %s", p.addr)
	case thief >= 0:
		h := holders[thief]
		return fail(evict(h, p.addr.Port()), "%s is taken by %s", p.addr, h)
	case p.running:
		return fail(fixSockets, "nobody listens on %s, although moatd runs", p.addr)
	}
	return ok("%s is free for moatd", p.addr)
}

// evict is the command that gets the port back for moatd.
func evict(h holder, port uint16) string {
	if h.pid == 0 {
		return fmt.Sprintf("sudo ss -ltnp 'sport = :%d'", port) // tells who it is
	}
	return fmt.Sprintf("kill %d && %s", h.pid, fixSockets)
}

// parseLsof reads the fields p, c and u that lsof -F prints for each process.
func parseLsof(out string) []holder {
	var all []holder
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		value := line[1:]
		n, err := strconv.Atoi(value)
		switch {
		case line[0] == 'p' && err == nil && n > 0:
			all = append(all, holder{pid: n, uid: -1})
		case len(all) == 0:
		case line[0] == 'c':
			all[len(all)-1].name = value
		case line[0] == 'u' && err == nil && n >= 0:
			all[len(all)-1].uid = n
		}
	}
	return all
}

// overlaps reports whether one who listens on a takes the port of b.
func overlaps(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() {
		return false
	}
	x, y := a.Addr().Unmap(), b.Addr().Unmap()
	return x == y || x.IsUnspecified() && (x.Is4() == y.Is4() || x.Is6()) || y.IsUnspecified() && x.Is4() == y.Is4()
}

// dialable returns where this machine reaches a listener: one for all addresses
// is at the loopback address.
func dialable(at netip.AddrPort) string {
	addr := at.Addr()
	switch {
	case !addr.IsUnspecified():
	case addr.Is4():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		addr = netip.IPv6Loopback()
	}
	return net.JoinHostPort(addr.String(), strconv.Itoa(int(at.Port())))
}
