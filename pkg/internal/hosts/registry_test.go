package hosts

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// registry are all blocks of the special-purpose registries of IANA, by the class
// that each has here. Those that the registries call globally reachable and that
// serve the whole Internet may be dialled; they are marked.
var registry = []struct {
	prefix, rfc string
	class       Class
}{
	{"0.0.0.0/32", "RFC 1122, section 3.2.1.3", ClassUnspecified},
	{"0.0.0.0/8", "RFC 791, section 3.2", ClassReserved},
	{"10.0.0.0/8", "RFC 1918", ClassPrivate},
	{"100.64.0.0/10", "RFC 6598", ClassCGNAT},
	{"127.0.0.0/8", "RFC 1122, section 3.2.1.3", ClassLoopback},
	{"169.254.0.0/16", "RFC 3927", ClassLinkLocal},
	{"172.16.0.0/12", "RFC 1918", ClassPrivate},
	{"192.0.0.0/24", "RFC 6890, section 2.1", ClassReserved},
	{"192.0.0.0/29", "RFC 7335", ClassReserved},
	{"192.0.0.8/32", "RFC 7600", ClassReserved},
	{"192.0.0.9/32", "RFC 7723: this network's own, although globally reachable", ClassReserved},
	{"192.0.0.10/32", "RFC 8155: this network's own, although globally reachable", ClassReserved},
	{"192.0.0.170/32", "RFC 8880", ClassReserved},
	{"192.0.0.171/32", "RFC 8880", ClassReserved},
	{"192.0.2.0/24", "RFC 5737", ClassDocumentation},
	{"192.31.196.0/24", "RFC 7535: AS112, globally reachable", ClassPublic},
	{"192.52.193.0/24", "RFC 7450: AMT, globally reachable", ClassPublic},
	{"192.88.99.0/24", "RFC 7526", ClassReserved},
	{"192.88.99.2/32", "RFC 6751", ClassReserved},
	{"192.168.0.0/16", "RFC 1918", ClassPrivate},
	{"192.175.48.0/24", "RFC 7534: AS112, globally reachable", ClassPublic},
	{"198.18.0.0/15", "RFC 2544", ClassBenchmarking},
	{"198.51.100.0/24", "RFC 5737", ClassDocumentation},
	{"203.0.113.0/24", "RFC 5737", ClassDocumentation},
	{"224.0.0.0/4", "RFC 5771", ClassMulticast},
	{"240.0.0.0/4", "RFC 1112, section 4", ClassReserved},
	{"255.255.255.255/32", "RFC 919, section 7", ClassBroadcast},

	{"::1/128", "RFC 4291, section 2.5.3", ClassLoopback},
	{"::/128", "RFC 4291, section 2.5.2", ClassUnspecified},
	{"64:ff9b:1::/48", "RFC 8215", ClassPrivate},
	{"100::/64", "RFC 6666", ClassReserved},
	{"100:0:0:1::/64", "RFC 9780", ClassReserved},
	{"2001:1::1/128", "RFC 7723: this network's own, although globally reachable", ClassReserved},
	{"2001:1::2/128", "RFC 8155: this network's own, although globally reachable", ClassReserved},
	{"2001:1::3/128", "RFC 9665: this network's own, although globally reachable", ClassReserved},
	{"2001:2::/48", "RFC 5180", ClassBenchmarking},
	{"2001:3::/32", "RFC 7450", ClassReserved},
	{"2001:4:112::/48", "RFC 7535", ClassReserved},
	{"2001:10::/28", "RFC 4843", ClassReserved},
	{"2001:20::/28", "RFC 7343: identifiers, which nobody routes", ClassReserved},
	{"2001:30::/28", "RFC 9374: identifiers, which nobody routes", ClassReserved},
	{"2001:100::/24", "RFC 2928: the rest of 2001::/23", ClassReserved},
	{"2001:db8::/32", "RFC 3849", ClassDocumentation},
	{"2620:4f:8000::/48", "RFC 7534: AS112, globally reachable", ClassPublic},
	{"3fff::/20", "RFC 9637", ClassDocumentation},
	{"5f00::/16", "RFC 9602", ClassReserved},
	{"fc00::/7", "RFC 4193", ClassPrivate},
	{"fe80::/10", "RFC 4291, section 2.5.6", ClassLinkLocal},
	{"fec0::/10", "RFC 3879", ClassPrivate},
	{"ff00::/8", "RFC 4291, section 2.7", ClassMulticast},
}

// TestRegistry looks at both ends of each block, in each notation and each dress.
// A block inside another of the list is more special than that.
func TestRegistry(t *testing.T) {
	for _, tt := range registry {
		prefix := netip.MustParsePrefix(tt.prefix)
		for _, addr := range []netip.Addr{prefix.Masked().Addr(), last(prefix)} {
			want := mostSpecial(addr)
			if got := Classify(addr); got != want {
				t.Errorf("Classify(%s) of %s (%s) = %q, want %q", addr, tt.prefix, tt.rfc, got, want)
			}
			for _, text := range notations(addr) {
				h, err := Parse(text)
				if err != nil {
					t.Errorf("Parse(%q) = %v, want %s", text, err, addr)
					continue
				}
				if got, ok := h.Addr(); !ok || got != addr || Classify(got) != want {
					t.Errorf("Parse(%q) = %s of class %q, want %s of class %q", text, h, Classify(got), addr, want)
				}
			}
			if addr.Is4() {
				checkDresses(t, addr)
				checkISATAP(t, addr)
			}
		}
	}
}

// mostSpecial returns the class of the longest prefix of the registry that addr
// is in; metadata services are in none.
func mostSpecial(addr netip.Addr) Class {
	bits, class := -1, ClassPublic
	for _, b := range registry {
		if p := netip.MustParsePrefix(b.prefix); p.Contains(addr) && p.Bits() > bits {
			bits, class = p.Bits(), b.class
		}
	}
	return class
}

// last returns the last address of a block.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// notations returns how resolvers and parsers of URLs may spell addr.
func notations(addr netip.Addr) []string {
	if addr.Is6() {
		long := addr.StringExpanded()
		return []string{
			addr.String(), "[" + addr.String() + "]", "[" + long + "]:443", strings.ToUpper(long),
		}
	}
	b := addr.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	wide := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, addr.String())
	return []string{
		addr.String(), addr.String() + ".", addr.String() + ":443", wide, strings.ReplaceAll(addr.String(), ".", "。"),
		fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("0%012o.%d.%d.%d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("0x%x.0x%X.0x%02x.0X%x", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.0x%x.0%o.%d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff),
		fmt.Sprintf("%d.0x%x", b[0], n&0xffffff),
		fmt.Sprint(n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0%o", n), fmt.Sprintf("0x%016x", n),
		"::ffff:" + addr.String(), fmt.Sprintf("[::FFFF:%x:%x]", n>>16, n&0xffff), fmt.Sprintf("[0:0:0:0:0:ffff:%x:%x]:80", n>>16, n&0xffff),
	}
}

// checkISATAP checks that an IPv4 address has its class in an identifier of ISATAP.
func checkISATAP(t *testing.T, v4 netip.Addr) {
	t.Helper()
	n := v4.As4()
	for _, first := range []byte{0, 2} {
		addr := netip.AddrFrom16([16]byte{0x26, 0x06, 0x47, 0, 8: first, 10: 0x5e, 11: 0xfe, 12: n[0], 13: n[1], 14: n[2], 15: n[3]})
		if got, want := Classify(addr), Classify(v4); got != want {
			t.Errorf("Classify(%v), which is %v as ISATAP, = %q, want %q", addr, v4, got, want)
		}
	}
}

// TestTheBlocksAreThoseOfTheRegistry checks that no block is refused that the
// list does not have: that would be a host that cannot be reached for no reason.
func TestTheBlocksAreThoseOfTheRegistry(t *testing.T) {
	listed := map[string]bool{"2000::/3": true} // all that is given out
	for _, b := range registry {
		listed[b.prefix] = true
	}
	for _, b := range append(append([]block(nil), blocks4...), blocks6...) {
		if b.class == ClassMetadata || b.inner != nil || listed[b.prefix.String()] || b.prefix.String() == "2001::/23" {
			continue
		}
		t.Errorf("block %s of class %q is in no registry", b.prefix, b.class)
	}
}

// TestZonesAreRefused pins that a zone, which says by which interface an address
// is reached, is in no host, however it is written.
func TestZonesAreRefused(t *testing.T) {
	for _, text := range []string{"fe80::1%eth0", "[fe80::1%eth0]:443", "[fe80::1%25eth0]", "::1%", "[::ffff:127.0.0.1%lo]:80"} {
		if h, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", text, h)
		}
	}
}
