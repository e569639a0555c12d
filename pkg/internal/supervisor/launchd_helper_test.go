package supervisor

import "net/netip"

func addrs(texts ...string) []netip.AddrPort {
	list := make([]netip.AddrPort, 0, len(texts))
	for _, text := range texts {
		list = append(list, netip.MustParseAddrPort(text))
	}
	return list
}
