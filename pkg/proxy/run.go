package proxy

import (
	"fmt"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/inject"
)

// HostRules are what is done to the requests for one host.
type HostRules = inject.Rules

// Header is a header to put into requests.
type Header = inject.Header

// Substitution is a placeholder that becomes a secret.
type Substitution = inject.Substitution

// The network policies of a run.
const (
	Permissive = "permissive" // every public host; the default
	Strict     = "strict"     // the allow list and the hosts of the grants
)

// Part is what is done for a part of a host.
type Part = inject.Part

// Missing is the grant whose credential a part of a host lacks.
type Missing = inject.Missing

// RunSpec is what a RunContextData is made from. Hosts are "host" or
// "host:port", in any case.
type RunSpec struct {
	RunID  string
	Policy string                // Permissive, Strict, or "" for Permissive
	Allow  []string              // patterns "host", "host:port", "*.domain", "*.domain:port"
	Hosts  map[string]*HostRules // by host; a host with its port comes before one without
	// Missing are the grants whose credential is not to be had now. Requests
	// for their hosts are refused, all requests where the hosts are not known.
	Missing []MissingGrant
	Servers []MCPServer  // that the run may address by name
	AWS     http.Handler // answers with the credentials of the run's AWS role; nil for none
}

// A MissingGrant is a grant of a run that has no credential now.
type MissingGrant struct {
	Grant  string
	Hosts  []string // nil means that it is not known which
	Reason string   // what is wrong and what mends it, without secrets
}

// RunContextData is what the proxy knows of a run: an immutable snapshot, safe
// for concurrent use. A change of the run is a new snapshot.
type RunContextData struct {
	runID   string
	strict  bool
	allow   []hosts.Pattern
	rules   hosts.Table[*HostRules]
	missing hosts.Table[MissingGrant]
	closed  *MissingGrant  // refuses every request; nil for none
	secrets []Substitution // of all hosts
	servers map[string]*mcpServer
	stubs   []serverStub
	aws     http.Handler // nil for none
}

// NewRunContextData compiles spec. The error names the value that is wrong.
// What spec holds must not be changed afterwards.
func NewRunContextData(spec RunSpec) (*RunContextData, error) {
	d := &RunContextData{
		runID:   spec.RunID,
		strict:  spec.Policy == Strict,
		rules:   make(hosts.Table[*HostRules], len(spec.Hosts)),
		missing: make(hosts.Table[MissingGrant]),
		servers: make(map[string]*mcpServer, len(spec.Servers)),
		aws:     spec.AWS,
	}
	if spec.Policy != "" && spec.Policy != Strict && spec.Policy != Permissive {
		return nil, fmt.Errorf("network policy %q: write %q or %q", spec.Policy, Permissive, Strict)
	}
	for _, text := range spec.Allow {
		p, err := hosts.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("allow list: %w", err)
		}
		d.allow = append(d.allow, p)
	}
	for name, rules := range spec.Hosts {
		h, err := hosts.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		if err := d.addRules(h, rules); err != nil {
			return nil, err
		}
	}
	if err := d.addServers(spec.Servers); err != nil {
		return nil, err
	}
	return d, d.addMissing(spec.Missing)
}

// Refusing returns a snapshot that refuses every request of the run, because
// its rules cannot be made sense of.
func Refusing(runID string, reason error) *RunContextData {
	return &RunContextData{runID: runID, strict: true, closed: &MissingGrant{Reason: reason.Error()}}
}

func (d *RunContextData) addRules(h hosts.Host, rules *HostRules) error {
	if _, twice := d.rules[h]; twice {
		return fmt.Errorf("rules: host %s stands there twice, in different spellings", h)
	}
	if err := rules.Check(); err != nil {
		return fmt.Errorf("rules for %s: %w", h, err)
	}
	d.rules[h] = rules
	if rules != nil {
		d.secrets = append(d.secrets, rules.Substitute...)
		for _, p := range rules.Parts {
			d.secrets = append(d.secrets, p.Rules.Substitute...)
		}
	}
	return nil
}

func (d *RunContextData) addMissing(missing []MissingGrant) error {
	for _, m := range missing {
		if len(m.Hosts) == 0 {
			d.closed = &m
		}
		for _, name := range m.Hosts {
			h, err := hosts.Parse(name)
			if err != nil {
				return fmt.Errorf("hosts of grant %s: %w", m.Grant, err)
			}
			d.missing[h] = m
		}
	}
	return nil
}

// RunID returns the id of the run.
func (d *RunContextData) RunID() string { return d.runID }
