package routing

import (
	"errors"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A target is what the host of a request names. The zero target is the page that
// lists the agents.
type target struct {
	agent   string // in lower case, "" for the page
	service string // in lower case, "" for the default one
}

// What a host that names no target is.
var (
	errForeign = errors.New("not below localhost")
	errDeep    = errors.New("more than service.agent.localhost")
)

// parseTarget reads the host of a request, with or without a port, in any case,
// with or without a dot at its end. The error is errForeign for a host that is not
// ours to serve, errDeep for one with too many labels, and another for no host.
func parseTarget(host string) (target, error) {
	h, err := hosts.Parse(host)
	switch {
	case err != nil:
		return target{}, err
	case !h.IsLoopback():
		return target{}, errForeign
	}
	names, below := strings.CutSuffix(h.Name, ".localhost")
	if !below {
		return target{}, nil // localhost itself, or an address
	}
	service, agent, both := strings.Cut(names, ".")
	switch {
	case !both:
		return target{agent: names}, nil
	case strings.Contains(agent, "."):
		return target{}, errDeep
	}
	return target{agent, service}, nil
}

// certificateName returns the name of the certificate for a TLS client that asks
// for serverName, "" if it did not, at the local address. Names that are not
// served get none.
func certificateName(serverName, local string) (string, error) {
	if serverName == "" {
		serverName = local
	}
	h, err := hosts.Parse(serverName)
	if err != nil {
		return "", err
	}
	if !h.IsLoopback() {
		return "", errForeign
	}
	return h.Name, nil
}
