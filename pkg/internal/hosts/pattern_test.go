package hosts

import (
	"strings"
	"testing"
)

func mustPattern(tb testing.TB, s string) Pattern {
	tb.Helper()
	p, err := ParsePattern(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestPatternMatch(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, host string
		want                bool
	}{
		{"a host on 443", "api.github.com", "api.github.com:443", true},
		{"a host on 80", "api.github.com", "api.github.com:80", true},
		{"a host on no other port", "api.github.com", "api.github.com:8080", false},
		{"a host without a port is not asked about", "api.github.com", "api.github.com", false},
		{"a host is not what stands below it", "github.com", "api.github.com:443", false},
		{"a host is not what ends like it", "github.com", "notgithub.com:443", false},
		{"a port is that port", "github.com:8443", "github.com:8443", true},
		{"a port is not 443 too", "github.com:8443", "github.com:443", false},
		{"case and dot do not count", "GitHub.COM.", "github.com:443", true},
		{"scripts do not count", "bücher.example", "xn--bcher-kva.example:443", true},
		{"a star is one label", "*.github.com", "api.github.com:443", true},
		{"a star is several labels", "*.github.com", "a.b.github.com:443", true},
		{"a star is not no label", "*.github.com", "github.com:443", false},
		{"a star needs its dot", "*.github.com", "notgithub.com:443", false},
		{"a star is on 80 and 443", "*.github.com", "api.github.com:22", false},
		{"a star with a port", "*.github.com:22", "api.github.com:22", true},
		{"a star with a port is on no other", "*.github.com:22", "api.github.com:443", false},
		{"a star before other scripts", "*.BÜCHER.example", "a.xn--bcher-kva.example:443", true},
		{"a star before a top-level domain", "*.com", "github.com:443", true},
		{"a star alone is every host", "*", "github.com:443", true},
		{"a star alone is every address", "*", "[::1]:80", true},
		{"a star alone is on 80 and 443", "*", "github.com:22", false},
		{"a star alone with a port", "*:22", "github.com:22", true},
		{"an IPv4 address", "127.0.0.1:8080", "127.0.0.1:8080", true},
		{"an IPv4 address in hexadecimal", "0x7f.1", "127.0.0.1:80", true},
		{"an IPv6 address", "[::1]:8080", "[0:0::1]:8080", true},
		{"an IPv6 address without brackets", "::1", "[::1]:443", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPattern(t, tt.pattern)
			if got := p.Match(mustParse(t, tt.host)); got != tt.want {
				t.Errorf("ParsePattern(%q).Match(%s) = %t, want %t", tt.pattern, tt.host, got, tt.want)
			}
		})
	}
}

func TestZeroPatternMatchesNothing(t *testing.T) {
	for _, h := range []Host{{}, {"", 443}, {"a", 443}} {
		if (Pattern{}).Match(h) {
			t.Errorf("Pattern{}.Match(%#v) = true", h)
		}
	}
}

func TestPatternString(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		exact    bool
	}{
		{"GitHub.com.", "github.com", true},
		{"github.com:0443", "github.com:443", true},
		{"::1", "[::1]", true},
		{"[::1]:80", "[::1]:80", true},
		{"*", "*", false},
		{"*:22", "*:22", false},
		{"*.GitHub.com.", "*.github.com", false},
		{"*.bücher.example:80", "*.xn--bcher-kva.example:80", false},
	} {
		p := mustPattern(t, tt.in)
		if p.String() != tt.want || p.Exact() != tt.exact {
			t.Errorf("ParsePattern(%q) = %v, Exact %t; want %s, %t", tt.in, p, p.Exact(), tt.want, tt.exact)
		}
	}
}

func TestParsePatternSaysWhatToWrite(t *testing.T) {
	long := strings.TrimSuffix(strings.Repeat("abc.", 63), ".") // 251 bytes
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", "the name is empty"},
		{"a star before IPv4", "*.1.2.3.4", `nothing stands below an address; write "1.2.3.4"`},
		{"a star before a short IPv4", "*.127.1", `write "127.0.0.1"`},
		{"a star before IPv6", "*.[::1]", `nothing stands below an address; write "[::1]"`},
		{"a star inside", "a.*.com", `a star stands only at the start and before a dot; write "*.com"`},
		{"a star inside a label", "api-*.github.com", `write "*.github.com"`},
		{"a star without a dot", "*github.com", `write "*.github.com"`},
		{"two stars", "*.*.github.com", `write "*.github.com"`},
		{"a doubled star", "**.github.com", `write "*.github.com"`},
		{"a star at the end", "github.*", `write "*.domain"`},
		{"a star and a dot", "*.", "the name is empty"},
		{"a leading dot", ".github.com", `write "*.github.com"`},
		{"a URL", "http://x", `a URL stands where only a host is meant; write "x"`},
		{"a URL with a star", "https://*.github.com/a", `write "*.github.com"`},
		{"a URL that names no host", "https://", "a URL stands where only a host is meant"},
		{"a path", "x/y", `write "x"`},
		{"port nought", "x:0", `port "0" is not one of 1 to 65535; write one that is, or leave out the colon too`},
		{"every port", "x:*", `port "*" is not one of 1 to 65535`},
		{"a star with a bad port", "*.x:99999", `port "99999"`},
		{"a network", "10.0.0.0/8", `"10.0.0.0/8" is a network; write a pattern for each host of it`},
		{"a domain with nothing below it", "*." + long + "a", "write the domain alone"},
		{"a name that ends in a number", "x.443", "it ends in a number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePattern(tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) || p != (Pattern{}) {
				t.Errorf("ParsePattern(%q) = %+v, %v; want an error with %q", tt.in, p, err, tt.want)
			}
		})
	}
	if _, err := ParsePattern("*." + long); err != nil {
		t.Errorf("ParsePattern of a star before 251 bytes = %v, want no error", err)
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{
		"github.com", "*.github.com:443", "*", "*:22", "*.1.2.3.4", "a.*.com", "http://x", "x:0", "[::1]:80", ".a",
		"*.bücher.example", "10.0.0.0/8", "*.[::1]", "**",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePattern(s)
		if err != nil {
			if strings.Contains(err.Error(), "write \"\"") {
				t.Errorf("ParsePattern(%q) = %v, which is no help", s, err)
			}
			return
		}
		if again, errAgain := ParsePattern(p.String()); errAgain != nil || again != p {
			t.Errorf("ParsePattern(%q) = %+v, but of its String %q: %+v, %v", s, p, p, again, errAgain)
		}
		text := p.String()
		if rest, ok := strings.CutPrefix(text, "*"); ok { // any name in place of the star
			text = "a" + rest
		}
		h, err := Parse(text)
		if err != nil || !p.Match(h.OrPort(443)) {
			t.Errorf("ParsePattern(%q) = %v, which cannot match: %v, %v", s, p, h, err)
		}
		if p.Exact() && p.Match(h.OrPort(443).WithPort(1)) != (h.Port == 1) {
			t.Errorf("ParsePattern(%q) = %v, which matches port 1 too", s, p)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	h := mustParse(b, "api.github.com:443")
	for _, s := range []string{"api.github.com", "*.github.com", "*.example.com"} {
		b.Run(s, func(b *testing.B) {
			p := mustPattern(b, s)
			b.ReportAllocs()
			for b.Loop() {
				p.Match(h)
			}
		})
	}
}
