package hosts

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, tt := range []struct {
		name string
		in   string
		want Host
	}{
		{"a name stays as it is", "api.github.com", Host{"api.github.com", 0}},
		{"a port is split off", "api.github.com:443", Host{"api.github.com", 443}},
		{"the greatest port", "a:65535", Host{"a", 65535}},
		{"zeros before a port say nothing", "a:0080", Host{"a", 80}},
		{"case does not count", "API.GitHub.com", Host{"api.github.com", 0}},
		{"the trailing dot does not count", "api.github.com.", Host{"api.github.com", 0}},
		{"nor does it before a port", "api.github.com.:443", Host{"api.github.com", 443}},
		{"one label is a name", "localhost", Host{"localhost", 0}},
		{"an underscore is a letter", "my_service.local:80", Host{"my_service.local", 80}},
		{"so it is at the start", "_acme-challenge.a", Host{"_acme-challenge.a", 0}},
		{"hyphens in the third and fourth place", "r3---sn-x.a", Host{"r3---sn-x.a", 0}},
		{"a hyphen at the end of a label", "a-.b", Host{"a-.b", 0}},
		{"a label of 63 bytes", long + ".a", Host{long + ".a", 0}},
		{"a name of 253 bytes", strings.Repeat(long+".", 3) + long[:61], Host{strings.Repeat(long+".", 3) + long[:61], 0}},
		{"a name of 253 bytes and a dot", strings.Repeat(long+".", 3) + long[:61] + ".", Host{strings.Repeat(long+".", 3) + long[:61], 0}},

		{"umlauts become an A-label", "Bücher.example:80", Host{"xn--bcher-kva.example", 80}},
		{"an A-label stays, in lower case", "XN--bcher-KVA.example", Host{"xn--bcher-kva.example", 0}},
		{"sharp s is its own letter", "straße.de", Host{"xn--strae-oqa.de", 0}},
		{"wide letters are the narrow ones", "ａｐｉ.github.com", Host{"api.github.com", 0}},
		{"the ideographic full stop is a dot", "api。github。com", Host{"api.github.com", 0}},
		{"the ideographic full stop may trail", "bücher.example。", Host{"xn--bcher-kva.example", 0}},
		{"an underscore beside other scripts", "_sip.bücher.example", Host{"_sip.xn--bcher-kva.example", 0}},

		{"IPv4", "192.0.2.1", Host{"192.0.2.1", 0}},
		{"IPv4 with a port", "192.0.2.1:80", Host{"192.0.2.1", 80}},
		{"IPv4 with a trailing dot", "127.0.0.1.", Host{"127.0.0.1", 0}},
		{"IPv4 as one decimal number", "2130706433", Host{"127.0.0.1", 0}},
		{"IPv4 as one hexadecimal number", "0x7F000001:80", Host{"127.0.0.1", 80}},
		{"IPv4 of two parts", "0x7f.1", Host{"127.0.0.1", 0}},
		{"IPv4 of three parts", "127.0.1", Host{"127.0.0.1", 0}},
		{"IPv4 in octal", "0177.0.0.01", Host{"127.0.0.1", 0}},
		{"IPv4 in wide digits", "１２７.0.0.1", Host{"127.0.0.1", 0}},
		{"hexadecimal without digits is nought", "0x", Host{"0.0.0.0", 0}},
		{"the greatest IPv4 number", "4294967295", Host{"255.255.255.255", 0}},
		{"a number that is not last is a label", "1.2.3.4.example", Host{"1.2.3.4.example", 0}},
		{"hexadecimal digits without 0x are a label", "a.beef", Host{"a.beef", 0}},
		{"0x before other letters is a label", "a.0xyz", Host{"a.0xyz", 0}},

		{"IPv6 without brackets has no port", "::1", Host{"::1", 0}},
		{"IPv6 in brackets", "[::1]", Host{"::1", 0}},
		{"IPv6 with a port", "[::1]:443", Host{"::1", 443}},
		{"IPv6 is shortened", "[2001:DB8:0:0::0001]:1", Host{"2001:db8::1", 1}},
		{"IPv4 mapped into IPv6 is IPv4", "[::ffff:127.0.0.1]:80", Host{"127.0.0.1", 80}},
		{"mapped in hexadecimal, too", "::ffff:7f00:1", Host{"127.0.0.1", 0}},
		{"IPv4 in NAT64 stays IPv6", "64:ff9b::1.2.3.4", Host{"64:ff9b::102:304", 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err != nil || got != tt.want {
				t.Fatalf("Parse(%q) = %+v, %v; want %+v", tt.in, got, err, tt.want)
			}
			if again, err := Parse(got.String()); err != nil || again != got {
				t.Errorf("Parse(%q), the String of %+v, = %+v, %v; want the same", got.String(), got, again, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", `host "": the name is empty`},
		{"a dot alone", ".", "the name is empty"},
		{"a port alone", ":443", "the name is empty"},
		{"an empty label", "a..b", "a dot with no label before it"},
		{"a leading dot", ".a", "a dot with no label before it"},
		{"two trailing dots", "a..", "a dot with no label before it"},
		{"a hyphen first", "-oProxyCommand=x", `label "-oproxycommand=x" begins with a hyphen`},
		{"a blank", "a b", "' ' cannot stand in a name"},
		{"a line end", "a\r\nb", `'\r' cannot stand in a name`},
		{"a zero byte", "a\x00.github.com", `'\x00' cannot stand in a name`},
		{"a per cent sign", "a%2egithub.com", "'%' cannot stand in a name"},
		{"a star", "*.github.com", "'*' cannot stand in a name"},
		{"bytes that are not UTF-8", "a\xff", "bytes that are neither ASCII nor UTF-8"},
		{"what stands for such bytes", "a\ufffd", "not an international name"},
		{"a letter that maps to a slash", "a℀b", "cannot stand in a name"},
		{"an A-label in disguise", "ｘｎ--a", "not an international name"},
		{"a long label", strings.Repeat("a", 64), "a label of 64 bytes, of which DNS has 63 at most"},
		{"a name of 254 bytes", strings.Repeat("ab.", 84) + "ab", "a name of 254 bytes"},
		{"an umlaut and a megabyte", "ü" + strings.Repeat("a", 1<<20), "a name of 1048578 bytes"},

		{"no port behind the colon", "a:", `port "" is not one of 1 to 65535`},
		{"port nought", "a:0", `port "0" is not one of 1 to 65535`},
		{"a port too great", "a:65536", `port "65536" is not one of 1 to 65535`},
		{"a port with a sign", "a:+80", `port "+80"`},
		{"a port by its service's name", "a:https", `port "https"`},

		{"a number that is no address", "1.2.3.256", `"256" cannot stand in an IPv4 address`},
		{"five numbers", "1.2.3.4.5", "an IPv4 address has four at most"},
		{"a name that ends in a number", "github.com.443", `"github" cannot stand in an IPv4 address`},
		{"a name that ends in hexadecimal", "a.0x7f", `"a" cannot stand in an IPv4 address`},
		{"an octal number with a nine", "0.0.0.09", `"09" cannot stand in an IPv4 address`},
		{"a number beyond 32 bits", "4294967296", "cannot stand in an IPv4 address"},
		{"a number beyond 64 bits", "99999999999999999999", "cannot stand in an IPv4 address"},

		{"no closing bracket", "[::1", "the closing bracket is missing"},
		{"a name in brackets", "[localhost]", "only IPv6 addresses stand in brackets"},
		{"IPv4 in brackets", "[127.0.0.1]:80", "only IPv6 addresses stand in brackets"},
		{"letters behind the bracket", "[::1]80", "only a colon and a port may follow the closing bracket"},
		{"a bad port behind the bracket", "[::1]:x", `port "x"`},
		{"a zone", "[fe80::1%eth0]:80", "an address with a zone; leave out the % and what follows"},
		{"two ports", "a:80:80", "not an IPv6 address"},

		{"a URL", "https://api.github.com/repos", `host: a URL stands where only a host is meant; write "api.github.com"`},
		{"a URL with a port", "http://[::1]:80/", `write "[::1]:80"`},
		{"a path", "api.github.com/repos", `write "api.github.com"`},
		{"a backslash", `a\b`, `write "a"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != (Host{}) {
				t.Errorf("Parse(%.40q) = %+v, %v; want an error with %q", tt.in, got, err, tt.want)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("Parse(%.40q) gave an error of %d bytes", tt.in, len(err.Error()))
			}
		})
	}
}

func TestParseDoesNotRepeatSecrets(t *testing.T) {
	for _, in := range []string{
		"https://x-access-token:s3cret@github.com/a/b",
		"x:s3cret@github.com",
		"user:s3/s3cret@github.com",
		"api.telegram.org/bots3cret/getMe",
		"github.com?token=s3cret",
		"https://a/?q=b@c&token=s3cret",
		"https://github.com#s3cret",
	} {
		if _, err := Parse(in); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Parse(%q) = %v, want an error without the secret", in, err)
		}
		if _, err := ParsePattern(in); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("ParsePattern(%q) = %v, want an error without the secret", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"api.github.com", "API.GitHub.com:443", "[::1]:80", "::1", "a.", "x:0", "x:99999", "", "[a]", "0x7f.1",
		"2130706433", "Bücher.example", "ａ。ｂ", "::ffff:1.2.3.4", "fe80::1%eth0", "xn--a", "https://a:b@c/d", "ß.٠",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			return
		}
		if again, errAgain := Parse(h.String()); errAgain != nil || again != h {
			t.Errorf("Parse(%q) = %+v, but of its String %q: %+v, %v", s, h, h.String(), again, errAgain)
		}
		if h.Name == "" || len(h.Name) > maxName || h.Port < 0 || h.Port > maxPort {
			t.Errorf("Parse(%q) = %+v, out of range", s, h)
		}
		if strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") != "" {
			t.Errorf("Parse(%q) = %+v, with bytes that are not canonical", s, h)
		}
		p, err := ParsePattern(h.String())
		if err != nil || !p.Exact() || !p.Match(h.OrPort(443)) {
			t.Errorf("ParsePattern(%q) = %+v, %v, which does not match %v", h, p, err, h.OrPort(443))
		}
	})
}
