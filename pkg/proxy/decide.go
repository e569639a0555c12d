package proxy

import (
	"fmt"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A Head is what of a request decides its fate.
type Head struct {
	Scheme string     // of the upstream: "https" or "http"
	Target hosts.Host // of the CONNECT or of the absolute URL, with a port
	// Names are what else names a host in the request: SNI, the Host header or
	// :authority. Each must agree with Target.
	Names []Name
	// Placeholder reports whether a placeholder of the run for another host
	// stands where a credential stands.
	Placeholder bool
}

// A Name is a host name that a request carries, and where.
type Name struct {
	Where string // "SNI", "Host"
	Host  hosts.Host
}

// A Verdict is what becomes of a request.
type Verdict struct {
	Status  int        // of the refusal; 0 means that the request goes out
	Reason  string     // for machines, such as "network-policy"; "" where it goes out
	Text    string     // for people: what was refused and why
	Hint    string     // for people: what would allow it, "" if nothing would
	Rule    string     // the rule that decided
	Rules   *HostRules // what is done to it, nil for nothing
	Special bool       // special-purpose addresses may be dialled for it
}

// The reasons of a refusal, in X-Moat-Blocked.
const (
	reasonPolicy      = "network-policy"
	reasonMisdirected = "misdirected"
	reasonMissing     = "credential-unavailable"
	reasonCleartext   = "cleartext"
	reasonPlaceholder = "placeholder"
	reasonAddress     = "address"
	reasonMalformed   = "malformed"
)

// Decide judges a request. It is a pure function of the snapshot and the head.
func (d *RunContextData) Decide(h Head) Verdict {
	for _, judge := range []func(*RunContextData, Head) (Verdict, bool){
		wrongName, notAllowed, strayPlaceholder, missingCredential, cleartext,
	} {
		if v, refused := judge(d, h); refused {
			return v
		}
	}
	return d.forward(h)
}

// forward is the verdict on a request that nothing speaks against.
func (d *RunContextData) forward(h Head) Verdict {
	v := Verdict{Rule: "policy " + Permissive}
	if rule, exact, ok := d.allowed(h.Target); ok {
		v.Rule, v.Special = "allow "+rule, exact
	} else if grant, ok := d.granted(h.Target); ok {
		v.Rule = "grant " + grant
	}
	if rules, ok := d.rules.Lookup(h.Target); ok {
		v.Rules = rules
	}
	return v
}

func wrongName(_ *RunContextData, h Head) (Verdict, bool) {
	for _, n := range h.Names {
		if n.Host.OrPort(h.Target.Port) != h.Target {
			return Verdict{
				Status: http.StatusMisdirectedRequest, Reason: reasonMisdirected, Rule: "authority",
				Text: fmt.Sprintf("the connection was opened to %s, but %s names %s", h.Target, n.Where, n.Host),
				Hint: "open a connection to the host that the request is for",
			}, true
		}
	}
	return Verdict{}, false
}

func notAllowed(d *RunContextData, h Head) (Verdict, bool) {
	if !d.strict || d.closed != nil {
		return Verdict{}, false // where the rules are broken, that is the reason to give
	}
	if _, _, ok := d.allowed(h.Target); ok {
		return Verdict{}, false
	}
	if _, ok := d.granted(h.Target); ok {
		return Verdict{}, false
	}
	line := h.Target
	if line.Port == 80 || line.Port == 443 {
		line = line.WithoutPort()
	}
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonPolicy, Rule: "policy " + Strict,
		Text: fmt.Sprintf("%s is on no allow list of this run, whose network policy is strict", h.Target),
		Hint: fmt.Sprintf("moat run --allow %s", line),
	}, true
}

func strayPlaceholder(_ *RunContextData, h Head) (Verdict, bool) {
	if !h.Placeholder {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonPlaceholder, Rule: "placeholder",
		Text: fmt.Sprintf("the request to %s carries a placeholder that stands for the secret of another host", h.Target),
		Hint: "send it to the host of its grant",
	}, true
}

func missingCredential(d *RunContextData, h Head) (Verdict, bool) {
	m, ok := d.missing.Lookup(h.Target)
	if d.closed != nil {
		m, ok = *d.closed, true
	}
	if !ok {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusServiceUnavailable, Reason: reasonMissing, Rule: "grant " + m.Grant,
		Text: fmt.Sprintf("the credential for %s is not available: %s", h.Target, m.Reason),
	}, true
}

func cleartext(d *RunContextData, h Head) (Verdict, bool) {
	rules, ok := d.rules.Lookup(h.Target)
	if !ok || !rules.Secret() || h.Scheme == "https" || h.Target.IsLoopback() {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonCleartext, Rule: "cleartext",
		Text: fmt.Sprintf("a request to http://%s would carry its credential in clear", h.Target),
		Hint: "use https://",
	}, true
}
