package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDial is the table of what a name may lead to. Nothing answers: the
// addresses that were dialled are what counts.
func TestDial(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		special       bool
		found         []string // by DNS; none means that it must not be asked
		want          []string // dialled
		err           string
	}{
		{"a public address", "a.test:443", false, []string{"93.184.216.34"}, []string{"93.184.216.34:443"}, "refused"},
		{"each public address in turn", "a.test:443", false, []string{"2606:4700::1", "93.184.216.34"}, []string{"[2606:4700::1]:443", "93.184.216.34:443"}, "refused"},
		{"a public address in the URL", "93.184.216.34:443", false, nil, []string{"93.184.216.34:443"}, "refused"},
		{"a name at a loopback address", "a.test:443", false, []string{"127.0.0.1"}, nil, "127.0.0.1, which is a loopback address"},
		{"a name at a private address", "a.test:443", false, []string{"10.1.2.3"}, nil, "a private address"},
		{"a name at a private address dressed in IPv6", "a.test:443", false, []string{"::ffff:10.1.2.3"}, nil, "a private address"},
		{"a name at a private address behind NAT64", "a.test:443", false, []string{"64:ff9b::a01:203"}, nil, "a private address"},
		{"a name at a link-local address", "a.test:443", false, []string{"fe80::1%eth0"}, nil, "a link-local address"},
		{"a name at the unspecified address", "a.test:443", false, []string{"0.0.0.0"}, nil, "an unspecified address"},
		{"a name at this machine's own address", "a.test:443", false, []string{"81.2.69.142"}, nil, "an own-interface address"},
		{"this machine's own address in the URL", "81.2.69.142:443", false, nil, nil, "an own-interface address"},
		{"a name at the metadata service", "a.test:80", false, []string{"169.254.169.254"}, nil, "a metadata address"},
		{"of mixed addresses, the public ones only", "a.test:443", false, []string{"10.1.2.3", "93.184.216.34", "127.0.0.1"}, []string{"93.184.216.34:443"}, "refused"},
		{"localhost, which DNS is not asked for", "web.localhost:80", false, nil, nil, "a loopback address"},
		{"an allowed host at special addresses", "a.test:443", true, []string{"10.1.2.3", "::1"}, []string{"10.1.2.3:443", "[::1]:443"}, "refused"},
		{"an allowed host at this machine's own address", "a.test:443", true, []string{"81.2.69.142"}, []string{"81.2.69.142:443"}, "refused"},
		{"an allowed localhost", "localhost:80", true, nil, []string{"127.0.0.1:80", "[::1]:80"}, "refused"},
		{"an allowed host at the metadata service", "a.test:80", true, []string{"169.254.169.254", "fd00:ec2::254"}, nil, "a metadata address"},
		{"an allowed host, of whose addresses one is the metadata service", "a.test:80", true, []string{"169.254.169.254", "10.0.0.1"}, []string{"10.0.0.1:80"}, "refused"},
		{"a name without addresses", "a.test:443", false, []string{}, nil, "no addresses"},
		{"an address without a port", "a.test", false, nil, nil, "missing port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var dialled []string
			asked := 0
			d := &dialer{special: tt.special, network: network{
				lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
					if asked++; tt.found == nil || asked > 1 {
						t.Errorf("lookup %s, for the time %d", host, asked)
					}
					var addrs []netip.Addr
					for _, a := range tt.found {
						addrs = append(addrs, netip.MustParseAddr(a))
					}
					return addrs, nil
				},
				local: func() ([]net.Addr, error) {
					return []net.Addr{&net.IPNet{IP: net.IPv4(81, 2, 69, 142), Mask: net.CIDRMask(24, 32)}}, nil
				},
				connect: func(_ context.Context, _, addr string) (net.Conn, error) {
					dialled = append(dialled, addr)
					return nil, errors.New("refused")
				},
			}}
			_, err := d.dial(t.Context(), "tcp", tt.address)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("dial(%s) = %v, want %q", tt.address, err, tt.err)
			}
			if diff := cmp.Diff(tt.want, dialled); diff != "" {
				t.Errorf("dial(%s) dialled (-want +got):\n%s", tt.address, diff)
			}
		})
	}
}

func TestDialWithoutKnowingTheOwnAddresses(t *testing.T) {
	d := &dialer{network: network{local: func() ([]net.Addr, error) { return nil, errors.New("no netlink") }}}
	if _, err := d.dial(t.Context(), "tcp", "93.184.216.34:443"); err == nil || !strings.Contains(err.Error(), "own-interface") {
		t.Errorf("dial = %v, want it refused", err)
	}
}

func TestSystemNetworkReachesThisMachine(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(hello))
	defer srv.Close()
	allowed := &dialer{network: systemNetwork(Options{}), special: true}
	conn, err := allowed.dial(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	_ = conn.Close()
}

// TestSpecialConnectionsServeOnlyWhoMayHaveThem opens a connection to a private
// address for a run that may, and asks for the same host from others.
func TestSpecialConnectionsServeOnlyWhoMayHaveThem(t *testing.T) {
	w := newWorld(t)
	srv := w.origin("lan.test", hello)
	w.dns["lan.test"] = []netip.Addr{netip.MustParseAddr("10.0.0.9")}
	w.place("lan.test", 443, srv.Listener.Addr().String())
	w.dns["meta.test"] = []netip.Addr{netip.MustParseAddr("169.254.169.254")}
	for _, tt := range []struct {
		name, host string
		allow      []string
		status     int
		text       string
	}{
		{"the host by name may", "lan.test", []string{"lan.test"}, 200, "hello"},
		{"no allow list may not", "lan.test", nil, 403, "moat run --allow lan.test\n"},
		{"a wildcard may not", "lan.test", []string{"*.test"}, 403, "10.0.0.9, which is a private address"},
		{"another host by name may not", "lan.test", []string{"other.test", "*"}, 403, "a private address"},
		{"the host by name beside a wildcard may", "lan.test", []string{"*.test", "LAN.test."}, 200, "hello"},
		{"the metadata service may not, even by name", "meta.test", []string{"meta.test"}, 403, "a metadata address\nmoat: request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.run("tok", RunSpec{Allow: tt.allow})
			res := get(t, w.client(), "https://"+tt.host+"/")
			res.want(t, tt.status, tt.text)
			if blocked := res.Header.Get("X-Moat-Blocked"); (blocked == "address") != (tt.status == 403) {
				t.Errorf("X-Moat-Blocked = %q", blocked)
			}
		})
	}
	if got := w.dialled(); !slices.Equal(got, []string{"10.0.0.9:443"}) {
		t.Errorf("dialled %v, want 10.0.0.9 once", got)
	}
}
