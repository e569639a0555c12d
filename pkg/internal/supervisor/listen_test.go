package supervisor

import (
	"net/netip"
	"slices"
	"testing"
)

// Property: what is written of an address is read again as the same.
func FuzzListen(f *testing.F) {
	for _, text := range []string{"172.17.0.1:19080", "[fe80::1%docker0]:1", "[::ffff:1.2.3.4]:65535", "[fe80::1%a\nExecStart=x]:1", "[fe80::1%a b]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := netip.ParseAddrPort(text)
		if err != nil || checkListen(at) != nil {
			return
		}
		if got := parseListen(listenText([]netip.AddrPort{at, at})); !slices.Equal(got, []netip.AddrPort{at, at}) {
			t.Errorf("%v was written as %q and read as %v", at, listenText([]netip.AddrPort{at}), got)
		}
	})
}
