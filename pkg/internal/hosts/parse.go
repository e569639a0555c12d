package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxPort is the greatest TCP port.
const maxPort = 1<<16 - 1

// Parse reads "name", "name:port", "1.2.3.4:80", "::1", "[::1]" or
// "[::1]:443", and is where every host name of the program is made canonical.
//
// Names in other scripts become A-labels as browsers do it (UTS #46,
// nontransitional). IPv4 addresses in any notation of inet_aton(3), such as
// "0x7f.1", and those mapped into IPv6 become dotted decimal, so that one
// destination has one spelling. IPv6 zones are refused, since what they mean
// depends on the machine. The error says what is wrong; it does not repeat
// what could be a secret in a URL.
func Parse(s string) (Host, error) {
	if isURL(s) {
		return Host{}, fmt.Errorf("host: a URL stands where only a host is meant%s", instead(s, Parse))
	}
	text, port, err := split(s)
	if err != nil {
		return Host{}, fmt.Errorf("host %.100q: %w", s, err)
	}
	name, err := canonical(text)
	if err != nil {
		return Host{}, fmt.Errorf("host %.100q: %w", s, err)
	}
	return Host{name, port}, nil
}

// split divides s into a name, not yet checked, and its port or 0. Brackets are
// gone from the name; only an IPv6 address has a colon in it.
func split(s string) (name string, port int, err error) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		return splitBrackets(rest)
	}
	name, text, ok := strings.Cut(s, ":")
	if !ok || strings.Contains(text, ":") { // none, or an IPv6 address without brackets
		return s, 0, nil
	}
	port, err = parsePort(text)
	return name, port, err
}

// splitBrackets is split for what follows an opening bracket.
func splitBrackets(s string) (name string, port int, err error) {
	name, rest, ok := strings.Cut(s, "]")
	if !ok {
		return "", 0, errors.New("the closing bracket is missing")
	}
	if !strings.Contains(name, ":") {
		return "", 0, errors.New("only IPv6 addresses stand in brackets")
	}
	if rest == "" {
		return name, 0, nil
	}
	text, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return "", 0, errors.New("only a colon and a port may follow the closing bracket")
	}
	port, err = parsePort(text)
	return name, port, err
}

func parsePort(s string) (int, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port < 1 {
		return 0, fmt.Errorf("port %.20q is not one of 1 to %d; write one that is, or leave out the colon too", s, maxPort)
	}
	return int(port), nil
}

// parseIPv6 returns the canonical form of an IPv6 address without brackets.
func parseIPv6(s string) (string, error) {
	if strings.Contains(s, "%") {
		return "", errors.New("an address with a zone; leave out the % and what follows")
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return "", errors.New("not an IPv6 address, and a name has one colon at most, before the port")
	}
	return addr.Unmap().String(), nil
}

// isURL reports whether s has a part that URLs have and hosts have not.
func isURL(s string) bool { return strings.ContainsAny(s, `/\?#@`) }

// instead returns the end of an error about the URL s: what to write for it, if
// parse takes it. User, password, path and query are left out.
func instead[T fmt.Stringer](s string, parse func(string) (T, error)) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if i := strings.IndexAny(s, `/\?#`); i >= 0 {
		s = s[:i]
	}
	v, err := parse(s)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("; write %q", v.String())
}
