package proxy

import "github.com/moatd/moatd/pkg/internal/hosts"

// A Head is what of a request decides its fate.
type Head struct {
	Scheme string     // of the upstream: "https" or "http"
	Target hosts.Host // of the CONNECT or of the absolute URL, with a port
	Path   string     // escaped, as it goes out; "" for a CONNECT
	Server string     // the MCP server that it is relayed to by name, "" for none
	// Names are what else names a host in the request: SNI, the Host header or
	// :authority. Each must agree with Target.
	Names []Name
	// Placeholder reports whether a placeholder of the run for another host
	// stands where a credential stands.
	Placeholder bool
	// Token reports whether the token of the run stands in what would go out.
	Token bool

	spot spot // set by Decide
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
	reasonScope       = "scope"
	reasonCleartext   = "cleartext"
	reasonPlaceholder = "placeholder"
	reasonAddress     = "address"
	reasonMalformed   = "malformed"
	reasonToken       = "proxy-token"
	reasonCanceled    = "canceled"
	reasonUpstream    = "upstream"
)

// Decide judges a request. It is a pure function of the snapshot and the head.
func (d *RunContextData) Decide(h Head) Verdict {
	h.spot = d.spot(h.Target, h.Path)
	for _, judge := range []func(*RunContextData, Head) (Verdict, bool){
		wrongName, unknownServer, notAllowed, unclearPath, strayToken, strayPlaceholder, missingCredential, outOfScope, cleartext,
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
	} else if grant, ok := d.granted(h); ok {
		v.Rule = "grant " + grant
	}
	v.Rules = h.spot.rules
	return d.relayed(h, v)
}
