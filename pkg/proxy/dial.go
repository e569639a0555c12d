package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

const dialTimeout = 15 * time.Second // for one address

// A network is what a dialer needs of the system.
type network struct {
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	local   func() ([]net.Addr, error) // addresses of this machine
	connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

// A Network resolves names and connects to addresses in place of the system, for
// tests in which one machine is the Internet. Both functions must be safe for
// concurrent use; nil means the system's.
type Network struct {
	// Lookup returns the addresses of a host; they are judged as any others are.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// Connect connects to "ip:port", where ip was judged fit.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

// over returns the network all, with what n has in its place.
func (n Network) over(all network) network {
	if n.Lookup != nil {
		all.lookup = n.Lookup
	}
	if n.Connect != nil {
		all.connect = n.Connect
	}
	return all
}

// systemNetwork returns the network of this machine.
func systemNetwork(opts Options) network {
	d := net.Dialer{Timeout: dialTimeout, Control: opts.Control}
	return network{lookup: net.DefaultResolver.LookupNetIP, local: net.InterfaceAddrs, connect: d.DialContext}
}

// errAddress reports that a name leads only to addresses that may not be dialled.
type errAddress struct {
	host  string
	addr  netip.Addr
	class hosts.Class
}

func (e *errAddress) Error() string {
	return fmt.Sprintf("%s is at %s, which is %s %s address", e.host, e.addr, article(e.class), e.class)
}

func article(class hosts.Class) string {
	if class == classOwn || class == hosts.ClassUnspecified {
		return "an"
	}
	return "a"
}

// A dialer connects to upstreams. It resolves a name once, judges what it got,
// and dials the very addresses that it judged, so that a name cannot change
// its meaning in between.
type dialer struct {
	network
	special bool // special-purpose addresses may be dialled, but never metadata
}

// dial connects to that address of a host and port which answers first.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial upstream: %w", err)
	}
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	return d.race(ctx, network, port, alternate(addrs))
}

// resolve returns the addresses of host that may be dialled, at least one.
func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := d.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var refused error
	var passed []netip.Addr
	for _, a := range addrs {
		class := d.classify(a)
		if class == hosts.ClassPublic || d.special && class != hosts.ClassMetadata {
			passed = append(passed, a)
			continue
		}
		refused = &errAddress{host: host, addr: a, class: class}
	}
	if len(passed) == 0 {
		return nil, refused
	}
	return passed, nil
}

// addresses returns the addresses that host has, at least one.
func (d *dialer) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if (hosts.Host{Name: host}).IsLoopback() { // RFC 6761, section 6.3: never by way of DNS
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	addrs, err := d.lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	unmapped := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		unmapped = append(unmapped, a.Unmap())
	}
	return unmapped, nil
}

// classOwn is the class of this machine's own addresses, whatever their kind.
const classOwn hosts.Class = "own-interface"

// classify returns the class of a, seen from this machine.
func (d *dialer) classify(a netip.Addr) hosts.Class {
	if class := hosts.Classify(a); class != hosts.ClassPublic {
		return class
	}
	own, err := d.local()
	if err != nil || slices.ContainsFunc(own, func(o net.Addr) bool { return isAddr(o, a) }) {
		return classOwn // not knowing is no permission
	}
	return hosts.ClassPublic
}

func isAddr(o net.Addr, a netip.Addr) bool {
	prefix, err := netip.ParsePrefix(o.String())
	return err == nil && prefix.Addr().Unmap() == a
}
