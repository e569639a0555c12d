package proxy

import (
	"fmt"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

const reasonServer = "mcp-server"

// unknownServer refuses a relayed request whose server the run does not have.
func unknownServer(d *RunContextData, h Head) (Verdict, bool) {
	if _, ok := d.servers[h.Server]; ok || h.Server == "" || d.closed != nil {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusNotFound, Reason: reasonServer, Rule: "mcp",
		Text: fmt.Sprintf("this run has no MCP server %q", h.Server),
	}, true
}

// missingFor returns what a request lacks. One that is relayed needs the
// credential of its server, whatever else is missing for the host.
func (d *RunContextData) missingFor(h Head) (MissingGrant, bool) {
	if d.closed != nil {
		return *d.closed, true
	}
	m, ok := d.missing.Lookup(h.Target)
	if h.spot.in {
		m, ok = MissingGrant{Grant: h.spot.missing.Grant, Reason: h.spot.missing.Reason}, h.spot.missing.Grant != ""
	}
	s, relayed := d.servers[h.Server]
	if !relayed || s.grant == "" {
		return m, ok
	}
	if s.rules == nil && (!ok || m.Grant != s.grant) {
		m = MissingGrant{Grant: s.grant, Reason: "grant " + s.grant + ": no credential"}
	}
	return m, s.rules == nil
}

// serves reports whether h is the host of an MCP server of the run.
func (d *RunContextData) serves(h hosts.Host) (server string, ok bool) {
	for name, s := range d.servers {
		if s.target == h && (!ok || name < server) {
			server, ok = name, true
		}
	}
	return server, ok
}

// relayed is v as it is for a request to an MCP server by its name.
func (d *RunContextData) relayed(h Head, v Verdict) Verdict {
	if s, ok := d.servers[h.Server]; ok {
		v.Rule, v.Rules = "mcp "+h.Server, s.rules
	}
	return v
}
