package proxy

import (
	"fmt"
	"net/http"
	"strings"
)

// part returns the part of its host that a request is in.
func (d *RunContextData) part(h Head) (p Part, in bool, err error) {
	rules, _ := d.rules.Lookup(h.Target) // nil has no parts
	return rules.At(h.Path)
}

// rulesFor returns what is done to a request, nil for nothing: the rules for the
// part of its host that it is in, else those for the host.
func (d *RunContextData) rulesFor(h Head) *HostRules {
	rules, _ := d.rules.Lookup(h.Target)
	if p, in, err := rules.At(h.Path); in && err == nil {
		return p.Rules
	}
	return rules
}

// unclearPath refuses a request whose path decides about its credential and can
// be read in two ways.
func unclearPath(d *RunContextData, h Head) (Verdict, bool) {
	_, _, err := d.part(h)
	if err == nil || h.Server != "" {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusBadRequest, Reason: reasonMalformed, Rule: "path",
		Text: fmt.Sprintf("%s, so it is not clear whose credential the request to %s is for", err, h.Target),
		Hint: "send the path in its plain form",
	}, true
}

// outOfScope refuses a request for a host where the run has grants for some paths
// and none for this one: it would go out without a credential, or with another
// than its sender means. Who wants that says so in the allow list.
func outOfScope(d *RunContextData, h Head) (Verdict, bool) {
	rules, _ := d.rules.Lookup(h.Target)
	if !rules.Parted() || rules.Secret() || h.Path == "" || h.Server != "" {
		return Verdict{}, false
	}
	if _, in, _ := d.part(h); in {
		return Verdict{}, false
	}
	if _, exact, ok := d.allowed(h.Target); ok && exact {
		return Verdict{}, false
	}
	grants := rules.PartGrants()
	provider, _, _ := strings.Cut(strings.Join(grants, ":"), ":")
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonScope, Rule: "scope",
		Text: fmt.Sprintf("the grants of this run for %s, %s, are not for this path", allowLine(h.Target), strings.Join(grants, " and ")),
		Hint: fmt.Sprintf("moat run --grant %s, or --allow %s for requests without a credential", provider, allowLine(h.Target)),
	}, true
}
