package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// parseServer reads the URL of a server.
func parseServer(text string) (*url.URL, hosts.Host, error) {
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() || u.Host == "" {
		return nil, hosts.Host{}, errors.New("the URL must be absolute, such as https://mcp.example/mcp")
	}
	h, err := hosts.Parse(u.Host)
	if err != nil {
		return nil, h, fmt.Errorf("URL: %w", err)
	}
	ports := map[string]int{"http": 80, "https": 443}
	h = h.OrPort(ports[u.Scheme])
	switch {
	case u.User != nil || u.Fragment != "":
		err = errors.New("the URL must have no user and no fragment")
	case u.Scheme != "https" && u.Scheme != "http":
		err = errors.New("the URL must begin with https://")
	case u.Scheme == "http" && !h.IsLoopback():
		err = errors.New("the URL must begin with https://, as the host is not this machine")
	case dotted(u.EscapedPath()):
		err = errDots
	}
	if err != nil {
		return nil, h, err
	}
	u.Host = h.String()
	if standardPort(Head{Scheme: u.Scheme, Target: h}) {
		u.Host = h.WithoutPort().String()
	}
	return u, h, nil
}

func validServerName(s string) bool {
	return s != "" && len(s) <= maxServerName && s != "." && s != ".." && !strings.ContainsFunc(s, func(c rune) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !letter && !strings.ContainsRune("._-", c)
	})
}
