package routing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// ErrInvalid is in the tree of the errors about a name or an address that makes
// no route.
var ErrInvalid = errors.New("bad route")

// maxLabel is the limit of RFC 1035, section 2.3.4, in bytes.
const maxLabel = 63

// label returns the canonical spelling of a name, which is one label of a host
// name: letters in lower case, digits, hyphens inside, and underscores, which
// browsers resolve below localhost like any other. what says whose name it is.
func label(what, name string) (string, error) {
	switch {
	case name == "":
		return "", fmt.Errorf("%w: the name of the %s is empty", ErrInvalid, what)
	case len(name) > maxLabel:
		return "", fmt.Errorf("%w: %s %.20q... has %d bytes; a label of a host name has %d at most", ErrInvalid, what, name, len(name), maxLabel)
	case name[0] == '-' || name[len(name)-1] == '-':
		return "", fmt.Errorf("%w: %s %q begins or ends with a hyphen", ErrInvalid, what, name)
	}
	for _, r := range name { // and not of canonical: a Kelvin sign's lower case is a k
		if !isLabelRune(r) {
			return "", fmt.Errorf("%w: %s %q has %q in it; a label of a host name has letters, digits, - and _", ErrInvalid, what, name, r)
		}
	}
	return strings.ToLower(name), nil
}

func isLabelRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// address returns the canonical spelling of a service's host:port.
func address(service, addr string) (string, error) {
	h, err := hosts.Parse(addr)
	if err != nil {
		return "", fmt.Errorf("%w: address of service %s: %v", ErrInvalid, service, err)
	}
	if h.Port == 0 {
		return "", fmt.Errorf("%w: address of service %s: %q has no port; write host:port, such as 127.0.0.1:3000", ErrInvalid, service, addr)
	}
	return h.String(), nil
}
