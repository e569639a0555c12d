package proxy

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/inject"
)

// An MCPServer is a server of the Model Context Protocol that a run addresses by
// its name: a request to /mcp/TOKEN/NAME on the proxy's own port is relayed to
// URL with the credential in it. In a request to the server's host that comes
// through the proxy, the credential takes the place of its stub, moat-stub-GRANT.
type MCPServer struct {
	Name   string // 1 to 64 of a-z, A-Z, 0-9, ".", "_" and "-"; unique in the run
	URL    string // absolute; https, or http where the host is this machine
	Header string // that carries the credential; "" means Authorization
	Grant  string // that the credential is of; "" means that the server asks for none
	Secret string // "" where Grant has none now: relayed requests are refused
}

// MCPStub is what stands for the credential of a grant.
func MCPStub(grant string) string { return "moat-stub-" + grant }

// MCPHost returns the host of an MCP server, with its port. The error says what
// of the URL is wrong.
func MCPHost(server string) (hosts.Host, error) {
	_, h, err := parseServer(server)
	return h, err
}

// mcpServer is a compiled MCPServer.
type mcpServer struct {
	base   *url.URL // its host is canonical
	target hosts.Host
	grant  string     // "" for none
	rules  *HostRules // of relayed requests; nil where the credential is missing
}

// serverStub is the stub of a server, whether or not its credential is there.
type serverStub struct {
	inject.Stub
	target hosts.Host
}

// knowsStub reports whether the stub is that of a server at target.
func (d *RunContextData) knowsStub(placeholder string, target hosts.Host) bool {
	return slices.ContainsFunc(d.stubs, func(s serverStub) bool { return s.Placeholder == placeholder && s.target == target })
}

const maxServerName = 64 // bytes

func (d *RunContextData) addServers(servers []MCPServer) error {
	for _, s := range servers {
		if err := d.addServer(s); err != nil {
			return fmt.Errorf("MCP server %q: %w", s.Name, err)
		}
	}
	return nil
}

func (d *RunContextData) addServer(s MCPServer) error {
	if !validServerName(s.Name) {
		return fmt.Errorf("the name must be of 1 to %d letters, digits, and ._-", maxServerName)
	}
	if _, twice := d.servers[s.Name]; twice {
		return errors.New("the name stands there twice")
	}
	base, target, err := parseServer(s.URL)
	if err != nil {
		return err
	}
	own, _ := d.rules.Lookup(target) // nil for none
	server := mcpServer{base: base, target: target, grant: s.Grant, rules: relayRules(own)}
	d.servers[s.Name] = &server
	if s.Grant == "" {
		return nil
	}
	credential, err := s.credential()
	if err != nil {
		return err
	}
	stub := inject.Stub{Placeholder: MCPStub(s.Grant), Credential: credential}
	d.stubs = append(d.stubs, serverStub{stub, target})
	if s.Secret == "" {
		server.rules = nil
		return nil
	}
	server.rules.Credentials = slices.DeleteFunc(server.rules.Credentials, func(h Header) bool {
		return strings.EqualFold(h.Name, credential.Name)
	})
	server.rules.Credentials = append(server.rules.Credentials, credential)
	d.rules[target] = withStub(own, stub)
	return nil
}

// notRelayed are the headers that the client of a relay sends to the relay: they
// are meant for its host, and not for that of the server.
var notRelayed = []string{"Authorization", "Cookie", "Origin", "Referer"}

// relayRules returns rules of the server's host, nil for none, as they are for
// relayed requests, before the credential.
func relayRules(own *HostRules) *HostRules {
	rules := new(HostRules)
	if own != nil {
		*rules = *own
	}
	rules.Stubs, rules.Parts = nil, nil
	rules.Remove = append(slices.Clip(rules.Remove), notRelayed...)
	rules.Credentials = slices.Clone(rules.Credentials)
	return rules
}

// withStub returns own, nil for none, with one stub more.
func withStub(own *HostRules, stub inject.Stub) *HostRules {
	rules := new(HostRules)
	if own != nil {
		*rules = *own
	}
	rules.Stubs = append(slices.Clip(rules.Stubs), stub)
	if rules.Parted() {
		rules.Parts = maps.Clone(rules.Parts)
		for prefix, p := range rules.Parts {
			p.Rules = withStub(p.Rules, stub)
			rules.Parts[prefix] = p
		}
	}
	return rules
}

// credential returns the header for the secret. Authorization has a scheme:
// that which the secret begins with, or else Bearer.
func (s MCPServer) credential() (Header, error) {
	h := Header{Name: s.Header, Value: s.Secret, Grant: s.Grant}
	if h.Name == "" {
		h.Name = "Authorization"
	}
	if name := http.CanonicalHeaderKey(h.Name); strings.HasPrefix(name, "Proxy-") || name == "Cookie" {
		return h, fmt.Errorf("header %s cannot carry a credential", h.Name)
	}
	if strings.EqualFold(h.Name, "Authorization") && !strings.Contains(s.Secret, " ") {
		h.Value = "Bearer " + s.Secret
	}
	rules := HostRules{Credentials: []Header{h}}
	return h, rules.Check()
}
