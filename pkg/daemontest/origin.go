package daemontest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/moatd/moatd/pkg/proxy"
)

// Origin starts an HTTPS server that the daemon, which must not have started
// yet, trusts. It returns its host:port; "localhost" stands for the address, so
// that a run's allow list can name it.
func (d *Daemon) Origin(h http.Handler) string {
	d.tb.Helper()
	_, port, _ := strings.Cut(d.serve(h, "localhost"), ":")
	return "localhost:" + port
}

// Pretend starts an HTTPS server that is each of hosts, at port 443, for the
// daemon, which must not have started yet: to it they have public addresses. No
// other name has an address for the daemon from then on, save the loopback.
func (d *Daemon) Pretend(h http.Handler, hosts ...string) {
	d.tb.Helper()
	addr := d.serve(h, hosts...)
	for _, host := range hosts {
		d.net.add(host, addr)
	}
}

// serve starts an HTTPS server for names, which the daemon trusts, and returns its
// address.
func (d *Daemon) serve(h http.Handler, names ...string) string {
	d.tb.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(d.tb, names...)}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	d.tb.Cleanup(srv.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.TLS.Certificates[0].Certificate[0]})
	if d.Settings.UpstreamCA == "" {
		d.Settings.UpstreamCA = filepath.Join(d.Settings.Home, "upstreams.pem")
	}
	have, err := os.ReadFile(d.Settings.UpstreamCA)
	if err != nil && !os.IsNotExist(err) {
		d.tb.Fatal(err)
	}
	if err := os.WriteFile(d.Settings.UpstreamCA, append(bytes.Clone(have), cert...), 0o600); err != nil {
		d.tb.Fatal(err)
	}
	return srv.Listener.Addr().String()
}

// internet is the names that servers of the test pretend to be.
type internet struct {
	mu    sync.Mutex
	addrs map[string]netip.Addr // guarded by mu; by host, public ones that nobody has
	to    map[string]string     // guarded by mu; from such an address, with port 443, to a server
}

// add gives host a public address that leads to addr.
func (n *internet) add(host, addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.addrs == nil {
		n.addrs, n.to = make(map[string]netip.Addr), make(map[string]string)
	}
	public := netip.AddrFrom4([4]byte{93, 184, byte(len(n.addrs) >> 8), byte(len(n.addrs))}) //nolint:gosec // a test has fewer hosts than that
	n.addrs[host] = public
	n.to[net.JoinHostPort(public.String(), strconv.Itoa(443))] = addr
}

// network returns what is between the daemon and the upstreams: the network of
// this machine if no server pretends to be another.
func (n *internet) network() proxy.Network {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.addrs == nil {
		return proxy.Network{}
	}
	return proxy.Network{Lookup: n.lookup, Connect: n.connect}
}

func (n *internet) lookup(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.addrs[host]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, &net.DNSError{Err: "no such host in this test", Name: host, IsNotFound: true}
}

func (n *internet) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	to, ok := n.to[addr]
	n.mu.Unlock()
	if !ok && !netip.MustParseAddrPort(addr).Addr().IsLoopback() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	if ok {
		addr = to
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}
