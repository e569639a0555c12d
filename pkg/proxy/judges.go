package proxy

import (
	"fmt"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

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
	if _, ok := d.granted(h); ok {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonPolicy, Rule: "policy " + Strict,
		Text: fmt.Sprintf("%s is on no allow list of this run, whose network policy is strict", h.Target),
		Hint: fmt.Sprintf("moat run --allow %s", allowLine(h.Target)),
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

func strayToken(_ *RunContextData, h Head) (Verdict, bool) {
	if !h.Token {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonToken, Rule: "proxy-token",
		Text: "the request carries the token of the run to an upstream, which must not have it",
		Hint: "the token belongs into the address of the proxy alone",
	}, true
}

func missingCredential(d *RunContextData, h Head) (Verdict, bool) {
	m, ok := d.missingFor(h)
	if !ok {
		return Verdict{}, false
	}
	v := Verdict{
		Status: http.StatusServiceUnavailable, Reason: reasonMissing, Rule: "grant " + m.Grant,
		Text: fmt.Sprintf("the credential for %s is not available: %s", h.Target, m.Reason),
	}
	if m.Grant == "" {
		v.Rule, v.Text = "run", fmt.Sprintf("the rules of this run cannot be used: %s", m.Reason)
	}
	return v, true
}

func cleartext(_ *RunContextData, h Head) (Verdict, bool) {
	rules := h.spot.rules
	if !rules.Secret() || rules.Cleartext || h.Scheme == "https" || h.Target.IsLoopback() {
		return Verdict{}, false
	}
	return Verdict{
		Status: http.StatusForbidden, Reason: reasonCleartext, Rule: "cleartext",
		Text: fmt.Sprintf("a request to http://%s would carry its credential in clear", h.Target),
		Hint: "use https://",
	}, true
}

// allowLine returns what to write into an allow list for h.
func allowLine(h hosts.Host) hosts.Host {
	if h.Port == 80 || h.Port == 443 {
		return h.WithoutPort()
	}
	return h
}
