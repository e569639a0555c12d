package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The ports of a pattern that names none.
const (
	httpPort  = 80
	httpsPort = 443
)

// A Pattern names hosts in a policy. It is comparable: two spellings of one
// pattern are equal. The zero Pattern matches nothing.
type Pattern struct {
	name string // the host, or the domain below which all match
	wild bool   // hosts below name match, or every host if name is ""
	port int    // 0 means 80 and 443
}

// ParsePattern reads "host", "host:port", "*.domain" or "*.domain:port".
// Without a port it stands for 80 and 443. "*.domain" matches every name below
// domain, at any depth, and not domain itself; "*" matches every host. What
// could never match is an error that says what to write instead.
func ParsePattern(s string) (Pattern, error) {
	if _, err := netip.ParsePrefix(s); err == nil {
		return Pattern{}, fmt.Errorf("pattern %q is a network; write a pattern for each host of it", s)
	}
	if isURL(s) {
		return Pattern{}, fmt.Errorf("pattern: a URL stands where only a host is meant%s", instead(s, ParsePattern))
	}
	p, err := parsePattern(s)
	if err != nil {
		return Pattern{}, fmt.Errorf("pattern %.100q: %w", s, err)
	}
	return p, nil
}

func parsePattern(s string) (Pattern, error) {
	text, port, err := split(s)
	if err != nil {
		return Pattern{}, err
	}
	if text == "*" {
		return Pattern{wild: true, port: port}, nil
	}
	if domain, ok := strings.CutPrefix(text, "*."); ok {
		domain, err = parseDomain(domain)
		return Pattern{domain, true, port}, err
	}
	if err = checkStars(text); err != nil {
		return Pattern{}, err
	}
	name, err := canonical(text)
	return Pattern{name, false, port}, err
}

// parseDomain returns the canonical form of a domain that can have names below it.
func parseDomain(s string) (string, error) {
	if err := checkStars(s); err != nil {
		return "", err
	}
	name, err := canonical(strings.Trim(s, "[]"))
	if err != nil {
		return "", err
	}
	if _, ok := (Host{Name: name}).Addr(); ok {
		return "", fmt.Errorf("nothing stands below an address; write %q", Host{Name: name})
	}
	if len("a.")+len(name) > maxName {
		return "", errors.New("the domain is so long that no name below it can exist; write the domain alone")
	}
	return name, nil
}

// checkStars refuses a star that does not stand for all labels before a domain,
// and the leading dot by which other programs mean one.
func checkStars(s string) error {
	i := strings.LastIndexByte(s, '*')
	if i < 0 && !strings.HasPrefix(s, ".") {
		return nil
	}
	domain, err := canonical(strings.TrimLeft(s[i+1:], ".-_"))
	if err != nil {
		return errors.New(`a star stands only at the start and before a dot; write "*.domain"`)
	}
	return fmt.Errorf("a star stands only at the start and before a dot; write %q", "*."+domain)
}

// Match reports whether p names h. A host without a port matches nothing.
func (p Pattern) Match(h Host) bool {
	if !p.matchPort(h.Port) || h.Name == "" {
		return false
	}
	if !p.wild {
		return h.Name == p.name
	}
	return p.name == "" || below(h.Name, p.name)
}

func (p Pattern) matchPort(port int) bool {
	if p.port == 0 {
		return port == httpPort || port == httpsPort
	}
	return port == p.port
}

// Exact reports whether p names one host, without a star.
func (p Pattern) Exact() bool { return !p.wild }

// String returns the canonical spelling, which [ParsePattern] turns back into p.
func (p Pattern) String() string {
	switch {
	case !p.wild:
		return Host{p.name, p.port}.String()
	case p.name == "":
		return "*" + portSuffix(p.port)
	}
	return "*." + p.name + portSuffix(p.port)
}

func portSuffix(port int) string {
	if port == 0 {
		return ""
	}
	return ":" + strconv.Itoa(port)
}
