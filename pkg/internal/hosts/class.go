package hosts

import "net/netip"

// A Class says why an address may not be dialled.
type Class string

// The classes. Each but [ClassPublic] is refused unless the run's rules name
// the host without a wildcard; [ClassMetadata] is refused always.
const (
	ClassPublic        Class = ""              // may be dialled
	ClassLoopback      Class = "loopback"      // this machine
	ClassPrivate       Class = "private"       // a network of one's own
	ClassLinkLocal     Class = "link-local"    // the same cable
	ClassCGNAT         Class = "cgnat"         // a carrier's network, and many a VPN
	ClassMulticast     Class = "multicast"     // a group, not a host
	ClassUnspecified   Class = "unspecified"   // no address; most kernels take it for loopback
	ClassBroadcast     Class = "broadcast"     // every host on the cable
	ClassReserved      Class = "reserved"      // assigned to protocols or to nobody
	ClassDocumentation Class = "documentation" // for examples
	ClassBenchmarking  Class = "benchmarking"  // for test networks
	ClassTunnel        Class = "tunnel"        // IPv4 inside IPv6, to an address that is not the one checked
	ClassMetadata      Class = "metadata"      // hands out a cloud machine's own credentials
)

// Classify returns the class of addr. IPv4 inside IPv6 counts as what it is
// inside. The zone is ignored; the zero Addr is reserved.
func Classify(addr netip.Addr) Class {
	addr = addr.WithZone("").Unmap()
	blocks, other := blocks6, ClassReserved
	if addr.Is4() {
		blocks, other = blocks4, ClassPublic
	}
	for _, b := range blocks {
		if b.prefix.Contains(addr) {
			return b.classify(addr)
		}
	}
	return other
}

// A block is a range of addresses of one class.
type block struct {
	prefix netip.Prefix
	class  Class
	// inner returns the IPv4 addresses that a packet to an address of the block
	// goes on to; nil if it goes nowhere else.
	inner func(addr [16]byte) []netip.Addr
}

// classify returns the class of addr, which lies in b: that of the first
// address inside it that may not be dialled, else that of b.
func (b block) classify(addr netip.Addr) Class {
	if b.inner == nil {
		return b.class
	}
	for _, v4 := range b.inner(addr.As16()) {
		if c := Classify(v4); c != ClassPublic {
			return c
		}
	}
	return b.class
}
