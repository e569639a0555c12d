package hosts

import (
	"fmt"
	"net/netip"
	"testing"
)

func mustParse(tb testing.TB, s string) Host {
	tb.Helper()
	h, err := Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func TestHostString(t *testing.T) {
	for _, tt := range []struct {
		h    Host
		want string
	}{
		{Host{"a", 0}, "a"},
		{Host{"a", 80}, "a:80"},
		{Host{"::1", 0}, "[::1]"},
		{Host{"::1", 80}, "[::1]:80"},
		{Host{"127.0.0.1", 80}, "127.0.0.1:80"},
	} {
		if got := tt.h.String(); got != tt.want {
			t.Errorf("%#v.String() = %q, want %q", tt.h, got, tt.want)
		}
	}
}

func TestHostPort(t *testing.T) {
	none, some := Host{"a", 0}, Host{"a", 8443}
	for _, tt := range []struct {
		call      string
		got, want Host
	}{
		{"WithPort sets a port", none.WithPort(443), Host{"a", 443}},
		{"WithPort replaces a port", some.WithPort(443), Host{"a", 443}},
		{"WithoutPort removes a port", some.WithoutPort(), none},
		{"WithoutPort finds none", none.WithoutPort(), none},
		{"OrPort fills in", none.OrPort(443), Host{"a", 443}},
		{"OrPort keeps what is there", some.OrPort(443), some},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.call, tt.got, tt.want)
		}
	}
}

func TestAddr(t *testing.T) {
	for in, want := range map[string]netip.Addr{
		"127.0.0.1:80":    netip.MustParseAddr("127.0.0.1"),
		"[2001:db8::1]:1": netip.MustParseAddr("2001:db8::1"),
		"0x7f.1":          netip.MustParseAddr("127.0.0.1"),
		"a.b":             {},
	} {
		got, ok := mustParse(t, in).Addr()
		if got != want || ok != want.IsValid() {
			t.Errorf("Parse(%q).Addr() = %v, %t; want %v", in, got, ok, want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{"localhost", true},
		{"LOCALHOST.:80", true},
		{"web.myapp.localhost:8080", true},
		{"127.0.0.1", true},
		{"127.255.0.3:80", true},
		{"2130706433", true},
		{"[::1]:80", true},
		{"::ffff:127.0.0.1", true},
		{"notlocalhost", false},
		{"localhost.example", false},
		{"0.0.0.0", false},
		{"::", false},
		{"10.0.0.1", false},
	} {
		if got := mustParse(t, tt.in).IsLoopback(); got != tt.want {
			t.Errorf("Parse(%q).IsLoopback() = %t, want %t", tt.in, got, tt.want)
		}
	}
	for _, h := range []Host{{"::ffff:127.0.0.1", 80}} {
		if !h.IsLoopback() {
			t.Errorf("%#v.IsLoopback() = false, though the kernel dials loopback", h)
		}
	}
	for _, h := range []Host{{}, {".localhost", 0}} {
		if h.IsLoopback() {
			t.Errorf("%#v.IsLoopback() = true, and it is no host", h)
		}
	}
}

func TestTableLookup(t *testing.T) {
	table := Table[string]{{"a", 0}: "any port", {"a", 8443}: "its port", {"b", 443}: "only 443"}
	for _, tt := range []struct {
		name, in, want string
	}{
		{"an entry for the port wins", "a:8443", "its port"},
		{"another port falls back", "a:443", "any port"},
		{"without a port the general entry counts", "a", "any port"},
		{"spelling does not count", "A.:8443", "its port"},
		{"an entry for a port is for no other", "b:80", ""},
		{"nor for a host without one", "b", ""},
		{"an unknown host has none", "c:443", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := table.Lookup(mustParse(t, tt.in))
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Lookup(%s) = %q, %t; want %q", tt.in, got, ok, tt.want)
			}
		})
	}
	if v, ok := Table[string](nil).Lookup(Host{"a", 443}); ok {
		t.Errorf("Lookup in a nil table = %q, want none", v)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"api.github.com:443", "API.GitHub.com:443", "bücher.example:443", "127.0.0.1:80", "[2001:db8::1]:443"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	table := Table[int]{}
	for i := range 50 {
		table[Host{fmt.Sprintf("host-%d.example", i), 0}] = i
	}
	h := Host{"host-7.example", 443}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := table.Lookup(h); !ok {
			b.Fatal("not found")
		}
	}
}
