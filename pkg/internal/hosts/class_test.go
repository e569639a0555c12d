package hosts

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		want  Class
		addrs []string
	}{
		{ClassPublic, []string{
			"1.1.1.1", "8.8.8.8", "140.82.121.4", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
			"126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
			"198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17",
			"2606:4700::1111", "2a00:1450:4001::200e", "2001:200::1", "2001:4860:4860::8888", "2620:4f:8000::1",
		}},
		{ClassLoopback, []string{"127.0.0.1", "127.255.255.255", "::1"}},
		{ClassPrivate, []string{
			"10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
			"fc00::1", "fdff::1", "fec0::1", "64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8",
		}},
		{ClassLinkLocal, []string{"169.254.0.1", "169.254.255.255", "fe80::1", "febf::1", "fe80::1%eth0"}},
		{ClassCGNAT, []string{"100.64.0.0", "100.127.255.255"}},
		{ClassMulticast, []string{"224.0.0.1", "239.255.255.255", "ff02::1"}},
		{ClassUnspecified, []string{"0.0.0.0", "::"}},
		{ClassBroadcast, []string{"255.255.255.255"}},
		{ClassReserved, []string{
			"0.0.0.1", "0.255.255.255", "192.0.0.1", "192.0.0.170", "192.88.99.1", "240.0.0.1", "255.255.255.254",
			"100::1", "100:0:0:1::1", "2001:10::1", "2001:1ff::1", "5f00::1", "4000::1", "::2", "1::1",
		}},
		{ClassDocumentation, []string{"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"}},
		{ClassBenchmarking, []string{"198.18.0.0", "198.19.255.255", "2001:2::1"}},
		{ClassTunnel, []string{"2002:808:808::1", "2001:0:808:808:0:0:f7f7:f7f7"}},
		{ClassMetadata, []string{
			"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.42.42", "169.254.0.23", "100.100.100.200",
			"192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42",
			"fe80::a9fe:a9fe", "fe80::a9fe:a9fe%eth0", "FD00:0EC2:0::254",
		}},
	} {
		t.Run("class "+string(tt.want), func(t *testing.T) {
			for _, s := range tt.addrs {
				if got := Classify(netip.MustParseAddr(s)); got != tt.want {
					t.Errorf("Classify(%s) = %q, want %q", s, got, tt.want)
				}
			}
		})
	}
}

func TestClassifyUnwraps(t *testing.T) {
	for _, tt := range []struct {
		name, addr string
		want       Class
	}{
		{"mapped, public", "::ffff:8.8.8.8", ClassPublic},
		{"mapped, loopback", "::ffff:127.0.0.1", ClassLoopback},
		{"mapped, private", "::ffff:a00:1", ClassPrivate},
		{"mapped, metadata", "::ffff:169.254.169.254", ClassMetadata},
		{"compatible, loopback", "::127.0.0.1", ClassLoopback},
		{"compatible, metadata", "::a9fe:a9fe", ClassMetadata},
		{"compatible, public, which nobody routes", "::8.8.8.8", ClassReserved},
		{"translated, private", "::ffff:0:10.0.0.1", ClassPrivate},
		{"translated, public, which nobody routes", "::ffff:0:8.8.8.8", ClassReserved},
		{"NAT64, public", "64:ff9b::8.8.8.8", ClassPublic},
		{"NAT64, loopback", "64:ff9b::127.0.0.1", ClassLoopback},
		{"NAT64, cgnat", "64:ff9b::100.64.0.1", ClassCGNAT},
		{"NAT64, metadata", "64:ff9b::a9fe:a9fe", ClassMetadata},
		{"6to4, private", "2002:c0a8:101::1", ClassPrivate},
		{"6to4, metadata", "2002:a9fe:a9fe::1", ClassMetadata},
		{"Teredo, its client loopback", "2001:0:808:808:0:0:80ff:fffe", ClassLoopback},
		{"Teredo, its client metadata", "2001:0:808:808:0:0:5601:5601", ClassMetadata},
		{"Teredo, its server private", "2001:0:a00:1:0:0:f7f7:f7f7", ClassPrivate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Classify(netip.MustParseAddr(tt.addr)); got != tt.want {
				t.Errorf("Classify(%s) = %q, want %q", tt.addr, got, tt.want)
			}
		})
	}
}

func TestClassifyOfNoAddress(t *testing.T) {
	if got := Classify(netip.Addr{}); got == ClassPublic {
		t.Errorf("Classify(netip.Addr{}) = %q, want that it may not be dialled", got)
	}
}

// What net/netip knows of an address must not be looser than what we know.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "8.8.8.8", "169.254.169.254", "10.0.0.1", "0.0.0.0"} {
		a := netip.MustParseAddr(s).As16()
		f.Add(a[:])
	}
	for _, s := range []string{"::1", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2606:4700::1111"} {
		a := netip.MustParseAddr(s).As16()
		f.Add(a[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 16 {
			return
		}
		addr := netip.AddrFrom16([16]byte(b))
		got := Classify(addr)
		special := addr.Unmap().IsPrivate() || addr.Unmap().IsLoopback() || !addr.Unmap().IsGlobalUnicast()
		if special && got == ClassPublic {
			t.Errorf("Classify(%v) = %q, which net/netip calls special", addr, got)
		}
		checkDresses(t, netip.AddrFrom4([4]byte(b[12:])))
	})
}

// checkDresses checks that an IPv4 address has its class inside IPv6 as well.
func checkDresses(t *testing.T, v4 netip.Addr) {
	t.Helper()
	want, n := Classify(v4), v4.As4()
	inverted := binary.BigEndian.AppendUint32(nil, ^binary.BigEndian.Uint32(n[:]))
	for name, dress := range map[string]struct {
		addr   [16]byte
		public Class // what it is if v4 is public
	}{
		"mapped": {netip.AddrFrom4(n).As16(), ClassPublic},
		"NAT64":  {[16]byte{0x00, 0x64, 0xff, 0x9b, 12: n[0], n[1], n[2], n[3]}, ClassPublic},
		"6to4":   {[16]byte{0x20, 0x02, n[0], n[1], n[2], n[3]}, ClassTunnel},
		"Teredo": {[16]byte{0x20, 0x01, 0, 0, 8, 8, 8, 8, 12: inverted[0], inverted[1], inverted[2], inverted[3]}, ClassTunnel},
	} {
		w := want
		if w == ClassPublic {
			w = dress.public
		}
		if addr := netip.AddrFrom16(dress.addr); Classify(addr) != w {
			t.Errorf("Classify(%v), which is %v as %s, = %q, want %q", addr, v4, name, Classify(addr), w)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, s := range []string{"140.82.121.4", "2606:4700::1111", "64:ff9b::8.8.8.8"} {
		b.Run(s, func(b *testing.B) {
			addr := netip.MustParseAddr(s)
			b.ReportAllocs()
			for b.Loop() {
				Classify(addr)
			}
		})
	}
}
