// Package hosts knows what a host is: its one canonical spelling and that of the
// paths on it, the patterns that name several of them, and the addresses that may
// not be dialled. It does no I/O; nothing in it resolves a name.
package hosts

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A Host is a canonical name with or without a port. Two spellings of one host
// give equal values, so a Host is a map key and is compared with ==. Only
// [Parse] makes one from text; the zero Host names nothing.
type Host struct {
	// Name is a host name in lower case, in A-labels, without a trailing dot,
	// or an IP address in its canonical text form, without brackets or zone.
	Name string
	// Port is 1 to 65535, or 0 for none.
	Port int
}

// String returns what [Parse] turns back into h: brackets stand around an IPv6
// address, and a port follows where there is one.
func (h Host) String() string {
	switch {
	case h.Port != 0:
		return net.JoinHostPort(h.Name, strconv.Itoa(h.Port))
	case strings.Contains(h.Name, ":"):
		return "[" + h.Name + "]"
	}
	return h.Name
}

// WithPort returns h with port instead of its own; 0 means none.
func (h Host) WithPort(port int) Host { return Host{h.Name, port} }

// WithoutPort returns h with no port.
func (h Host) WithoutPort() Host { return Host{h.Name, 0} }

// OrPort returns h if it has a port, else h with port.
func (h Host) OrPort(port int) Host {
	if h.Port != 0 {
		return h
	}
	return h.WithPort(port)
}

// Addr returns the address that h is spelled as; ok is false for a name.
func (h Host) Addr() (addr netip.Addr, ok bool) {
	addr, err := netip.ParseAddr(h.Name)
	return addr, err == nil
}

// IsLoopback reports whether h can only be this machine: a loopback address,
// "localhost" or a name below it (RFC 6761, section 6.3). Other names may
// still resolve to a loopback address; see [Classify] for those.
func (h Host) IsLoopback() bool {
	if addr, ok := h.Addr(); ok {
		return addr.Unmap().IsLoopback()
	}
	return h.Name == "localhost" || below(h.Name, "localhost")
}

// below reports whether name is domain with at least one label before it.
func below(name, domain string) bool {
	rest, ok := strings.CutSuffix(name, domain)
	return ok && len(rest) > 1 && rest[len(rest)-1] == '.'
}
