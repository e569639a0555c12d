package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

const (
	dialTimeout      = 15 * time.Second // for one address
	handshakeTimeout = 15 * time.Second // for TLS with the upstream
	poolIdle         = 90 * time.Second // an upstream connection without a request
	poolPerHost      = 64               // idle connections kept for one host
)

// newTransport returns the way to the upstreams. There is no time limit on the
// first byte of an answer: models think for minutes.
func newTransport(d *dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:           d.dial,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   handshakeTimeout,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // a body goes through as it is
		MaxIdleConnsPerHost:   poolPerHost,
		IdleConnTimeout:       poolIdle,
		ExpectContinueTimeout: time.Second,
	}
}

// errAddress reports that a name leads only to addresses that may not be dialled.
type errAddress struct {
	host  string
	addr  netip.Addr
	class hosts.Class
}

func (e *errAddress) Error() string {
	return fmt.Sprintf("%s is at %s, which is a %s address", e.host, e.addr, e.class)
}

// A dialer connects to upstreams. It resolves a name once, judges what it got,
// and dials the very addresses that it judged, so that a name cannot change
// its meaning in between.
type dialer struct {
	special bool // special-purpose addresses may be dialled, but never metadata
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	local   func() ([]net.Addr, error) // addresses of this machine
	connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

func newDialer(special bool) *dialer {
	d := net.Dialer{Timeout: dialTimeout}
	return &dialer{
		special: special,
		lookup:  net.DefaultResolver.LookupNetIP,
		local:   net.InterfaceAddrs,
		connect: d.DialContext,
	}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial upstream: %w", err)
	}
	addrs, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range addrs {
		conn, err := d.connect(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
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
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, nil
}

// classOwn is the class of this machine's own addresses, whatever their kind.
const classOwn hosts.Class = "own-interface"

func (d *dialer) classify(a netip.Addr) hosts.Class {
	if class := hosts.Classify(a); class != hosts.ClassPublic {
		return class
	}
	own, err := d.local()
	if err != nil {
		return classOwn // not knowing is no permission
	}
	if slices.ContainsFunc(own, func(o net.Addr) bool { return isAddr(o, a) }) {
		return classOwn
	}
	return hosts.ClassPublic
}

func isAddr(o net.Addr, a netip.Addr) bool {
	prefix, err := netip.ParsePrefix(o.String())
	return err == nil && prefix.Addr().Unmap() == a
}
