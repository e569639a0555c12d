package hosts

import "net/netip"

// The tables follow the special-purpose registries of IANA for IPv4 and IPv6
// (RFC 6890, as of 2025), of which blocks that serve the whole internet, such as
// AS112, are left out. The first block that holds an address counts. Metadata
// services stand first; their source is the documentation of each cloud.

var blocks4 = []block{
	cidr("169.254.169.254/32", ClassMetadata), // AWS, Google, Azure, OpenStack and most others
	cidr("169.254.170.2/32", ClassMetadata),   // AWS ECS, credentials of a task
	cidr("169.254.170.23/32", ClassMetadata),  // AWS EKS, credentials of a pod
	cidr("169.254.42.42/32", ClassMetadata),   // Scaleway
	cidr("169.254.0.23/32", ClassMetadata),    // Tencent
	cidr("100.100.100.200/32", ClassMetadata), // Alibaba
	cidr("192.0.0.192/32", ClassMetadata),     // Oracle
	cidr("168.63.129.16/32", ClassMetadata),   // Azure wire server

	cidr("0.0.0.0/32", ClassUnspecified),        // RFC 1122, section 3.2.1.3
	cidr("0.0.0.0/8", ClassReserved),            // RFC 791, section 3.2: this network
	cidr("10.0.0.0/8", ClassPrivate),            // RFC 1918
	cidr("100.64.0.0/10", ClassCGNAT),           // RFC 6598
	cidr("127.0.0.0/8", ClassLoopback),          // RFC 1122, section 3.2.1.3
	cidr("169.254.0.0/16", ClassLinkLocal),      // RFC 3927
	cidr("172.16.0.0/12", ClassPrivate),         // RFC 1918
	cidr("192.0.0.0/24", ClassReserved),         // RFC 6890, section 2.1: protocol assignments
	cidr("192.0.2.0/24", ClassDocumentation),    // RFC 5737
	cidr("192.88.99.0/24", ClassReserved),       // RFC 7526: relays of 6to4, given up
	cidr("192.168.0.0/16", ClassPrivate),        // RFC 1918
	cidr("198.18.0.0/15", ClassBenchmarking),    // RFC 2544
	cidr("198.51.100.0/24", ClassDocumentation), // RFC 5737
	cidr("203.0.113.0/24", ClassDocumentation),  // RFC 5737
	cidr("224.0.0.0/4", ClassMulticast),         // RFC 5771
	cidr("255.255.255.255/32", ClassBroadcast),  // RFC 919, section 7
	cidr("240.0.0.0/4", ClassReserved),          // RFC 1112, section 4
}

// What stands in no block of blocks6 lies outside 2000::/3, the only part of
// IPv6 that is given out to networks (RFC 4291, section 2.4), and is reserved.
//
// NAT64 is how a machine without IPv4 reaches the whole of it, so an address
// there is no worse than the one inside. 6to4 and Teredo are refused even around
// a public address: the packet goes on through a machine that nobody checked,
// and no service of today is to be found there (RFC 7526 gave up 6to4 relays).
// ISATAP has no prefix of its own; what looks like it is no better than the
// address inside.
var blocks6 = []block{
	cidr("fd00:ec2::254/128", ClassMetadata),      // AWS
	cidr("fd00:ec2::23/128", ClassMetadata),       // AWS EKS, credentials of a pod
	cidr("fd20:ce::254/128", ClassMetadata),       // Google
	cidr("fd00:c1::a9fe:a9fe/128", ClassMetadata), // Oracle
	cidr("fd00:42::42/128", ClassMetadata),        // Scaleway
	cidr("fe80::a9fe:a9fe/128", ClassMetadata),    // OpenStack

	cidr("::/128", ClassUnspecified),                // RFC 4291, section 2.5.2
	cidr("::1/128", ClassLoopback),                  // RFC 4291, section 2.5.3
	around("::/96", ClassReserved, last4),           // RFC 4291, section 2.5.5.1: v4-compatible, given up
	around("::ffff:0:0:0/96", ClassReserved, last4), // RFC 2765, section 2.1: v4-translated, given up
	around("64:ff9b::/96", ClassPublic, last4),      // RFC 6052, section 2.1: NAT64
	cidr("64:ff9b:1::/48", ClassPrivate),            // RFC 8215: NAT64 of one's own
	cidr("100::/64", ClassReserved),                 // RFC 6666: discard
	cidr("100:0:0:1::/64", ClassReserved),           // RFC 9780: dummy
	around("2001::/32", ClassTunnel, teredo),        // RFC 4380
	cidr("2001:2::/48", ClassBenchmarking),          // RFC 5180
	cidr("2001::/23", ClassReserved),                // RFC 2928: protocol assignments
	cidr("2001:db8::/32", ClassDocumentation),       // RFC 3849
	around("2002::/16", ClassTunnel, sixToFour),     // RFC 3056
	cidr("3fff::/20", ClassDocumentation),           // RFC 9637
	around("2000::/3", ClassPublic, isatap),         // RFC 4291, section 2.4
	cidr("5f00::/16", ClassReserved),                // RFC 9602: segment routing
	cidr("fc00::/7", ClassPrivate),                  // RFC 4193
	cidr("fe80::/10", ClassLinkLocal),               // RFC 4291, section 2.5.6
	cidr("fec0::/10", ClassPrivate),                 // RFC 3879: site-local, given up
	cidr("ff00::/8", ClassMulticast),                // RFC 4291, section 2.7
}

func cidr(prefix string, c Class) block { return block{netip.MustParsePrefix(prefix), c, nil} }

// around returns a block of IPv6 addresses with IPv4 inside.
func around(prefix string, c Class, inner func([16]byte) []netip.Addr) block {
	return block{netip.MustParsePrefix(prefix), c, inner}
}

// last4 returns the address in the last 32 bits.
func last4(a [16]byte) []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte(a[12:16]))}
}

// sixToFour returns the router of RFC 3056, section 2, right after the prefix.
func sixToFour(a [16]byte) []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte(a[2:6]))}
}

// isatap returns the address in an interface identifier of RFC 5214, section 6.1,
// which may stand below any prefix; none in another identifier.
func isatap(a [16]byte) []netip.Addr {
	if a[8]&^2 != 0 || a[9] != 0 || a[10] != 0x5e || a[11] != 0xfe { // bit 2 says that the address inside is unique
		return nil
	}
	return last4(a)
}

// teredo returns the server and, whose bits are inverted, the client of RFC
// 4380, section 4.
func teredo(a [16]byte) []netip.Addr {
	server := netip.AddrFrom4([4]byte(a[4:8]))
	client := netip.AddrFrom4([4]byte{^a[12], ^a[13], ^a[14], ^a[15]})
	return []netip.Addr{server, client}
}
