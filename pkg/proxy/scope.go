package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A spot is the part of a host that a request is for.
type spot struct {
	host    *HostRules // of the whole host, nil for none
	rules   *HostRules // that count here, nil for none
	in      bool       // the path is in a part that has rules of its own
	missing Missing    // what that part lacks
	unclear error      // why it is not sure which part it is
}

// spot returns where a request with an escaped path goes.
func (d *RunContextData) spot(target hosts.Host, path string) spot {
	rules, _ := d.rules.Lookup(target) // nil for none
	if !rules.Parted() {
		return spot{host: rules, rules: rules}
	}
	part, in, err := rules.At(path)
	if !in {
		return spot{host: rules, rules: rules, unclear: err}
	}
	return spot{host: rules, rules: part.Rules, in: true, missing: part.Missing}
}

// unclearPath refuses a request whose path decides about its credential and can
// be read in two ways.
func unclearPath(_ *RunContextData, h Head) (Verdict, bool) {
	err := h.spot.unclear
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
	rules := h.spot.host
	if h.spot.in || !rules.Parted() || rules.Secret() || h.Path == "" || h.Server != "" {
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
