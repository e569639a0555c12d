package moatd

import (
	"net"
	"testing"
)

func TestPresent(t *testing.T) {
	for _, tt := range []struct {
		name string
		addr net.Addr
		want bool
	}{
		{"the loopback", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, true},
		{"another address of the loopback", &net.TCPAddr{IP: net.IPv4(127, 9, 9, 9)}, true},
		{"all addresses", &net.TCPAddr{IP: net.IPv6zero}, true},
		{"a bridge that is not there yet", &net.TCPAddr{IP: net.IPv4(203, 0, 113, 77)}, false},
		{"no address of TCP", &net.UnixAddr{Name: "/x"}, true},
	} {
		if got := present(tt.addr); got != tt.want {
			t.Errorf("%s: present(%v) = %v, want %v", tt.name, tt.addr, got, tt.want)
		}
	}
}
