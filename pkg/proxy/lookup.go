package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// allowed returns the entry of the allow list that names h, if there is one,
// an entry without a wildcard before others.
func (d *RunContextData) allowed(h hosts.Host) (rule string, exact, ok bool) {
	for _, p := range d.allow {
		if !p.Match(h) {
			continue
		}
		if p.Exact() {
			return p.String(), true, true
		}
		if !ok {
			rule, ok = p.String(), true
		}
	}
	return rule, false, ok
}

// granted reports whether a grant of the run covers h, for a credential or for
// one that is missing now.
func (d *RunContextData) granted(head Head) (grant string, ok bool) {
	h := head.Target
	if r := head.spot.rules; r.Secret() && standard(h.Port, d.rules, h) {
		return strings.Join(r.Grants(), ","), true
	}
	if r := head.spot.host; r.Parted() && standard(h.Port, d.rules, h) {
		return strings.Join(r.PartGrants(), ","), true
	}
	if m, found := d.missing.Lookup(h); found && standard(h.Port, d.missing, h) {
		return m.Grant, true
	}
	return d.serves(h)
}

// standard reports whether the port of h is one that its entry in t opens: the
// entry's own, or 80 and 443 where it has none.
func standard[V any](port int, t hosts.Table[V], h hosts.Host) bool {
	if _, own := t[h]; own {
		return true
	}
	return port == 80 || port == 443
}

// stray reports whether r, whose head is h, carries a placeholder of another host
// where credentials stand.
func (d *RunContextData) stray(r *http.Request, h Head) bool {
	target := h.Target
	own := d.spot(target, h.Path).rules // nil has no placeholders
	for _, s := range d.secrets {
		if !own.Knows(s.Placeholder) && s.Found(r) {
			return true
		}
	}
	return slices.ContainsFunc(d.stubs, func(s serverStub) bool { return !d.knowsStub(s.Placeholder, target) && s.Found(r) })
}
