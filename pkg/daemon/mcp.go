package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/proxy"
)

// A SecretGranter is a [Granter] that also hands out the secret of a grant as it
// is, for the MCP servers of a run. The error is as that of Configure.
type SecretGranter interface {
	Secret(ctx context.Context, grant string) (credential.Secret, error)
}

var errNoSecrets = errors.New("this daemon has no credentials for MCP servers")

// checkServers says which server names no grant; the rest is checked when the
// rules are compiled.
func checkServers(servers []config.MCPServerConfig) error {
	for _, s := range servers {
		if s.Auth == nil {
			continue
		}
		if _, _, err := credential.ParseGrant(s.Auth.Grant); err != nil {
			return fmt.Errorf("MCP server %q: %w", s.Name, err)
		}
	}
	return nil
}

// secrets finds the credentials of the run's MCP servers and puts them into into. It returns those that are missing, for the host of their server.
func (r *Registry) secrets(ctx context.Context, rc *RunContext, into *granted) []proxy.MissingGrant {
	var missing []proxy.MissingGrant
	for _, s := range rc.MCPServers {
		if s.Auth == nil {
			continue
		}
		secret, err := r.secret(ctx, s.Auth.Grant)
		if err == nil {
			into.secrets[s.Auth.Grant] = secret
			continue
		}
		host, bad := proxy.MCPHost(s.URL)
		if bad != nil {
			continue // such a run is refused as a whole, with the reason
		}
		missing = append(missing, proxy.MissingGrant{
			Grant: s.Auth.Grant, Hosts: []string{host.String()}, Reason: fmt.Sprintf("MCP server %s: %v", s.Name, err),
		})
	}
	return missing
}

func (r *Registry) secret(ctx context.Context, grant string) (credential.Secret, error) {
	g, ok := r.granter.(SecretGranter)
	if !ok {
		return "", errNoSecrets
	}
	return g.Secret(ctx, grant)
}

// elsewhere reports whether the grant is one that sends nothing to hosts of its
// own, and that the run has a use for: an MCP server, or an AWS role.
func (rc *RunContext) elsewhere(grant string) bool {
	switch kind, _, err := credential.ParseGrant(grant); {
	case err != nil:
		return false
	case kind == "aws":
		return rc.AWSConfig != nil
	case kind == "mcp":
		return slices.ContainsFunc(rc.MCPServers, func(s config.MCPServerConfig) bool {
			return s.Auth != nil && s.Auth.Grant == grant
		})
	}
	return false
}

// serversLocked returns the MCP servers with the credentials that were found.
func (rc *RunContext) serversLocked() []proxy.MCPServer {
	servers := make([]proxy.MCPServer, len(rc.MCPServers))
	for i, s := range rc.MCPServers {
		servers[i] = proxy.MCPServer{Name: s.Name, URL: s.URL}
		if s.Auth == nil {
			continue
		}
		servers[i].Header, servers[i].Grant = s.Auth.Header, s.Auth.Grant
		if rc.granted != nil {
			servers[i].Secret = rc.granted.secrets[s.Auth.Grant].Reveal()
		}
	}
	return servers
}
