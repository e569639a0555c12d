package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/proxy"
)

// layers are what is put together to the rules of a run: what it was registered
// with, and each of its grants in their order.
type layers []*layer

// rules returns the rules by host. An error means that two grants are in each
// other's way.
func (ls layers) rules() (map[string]*proxy.HostRules, error) {
	rules := make(map[string]*proxy.HostRules)
	for _, l := range ls {
		for _, names := range l.names() {
			for name := range names {
				if _, done := rules[name]; done {
					continue
				}
				r, err := ls.rulesFor(name)
				if err != nil {
					return nil, fmt.Errorf("host %s: %w", name, err)
				}
				rules[name] = r
			}
		}
	}
	return rules, nil
}

// names returns the hosts of the layer, one more than once.
func (l *layer) names() []func(func(string) bool) {
	if l.missing.Grant != "" {
		return []func(func(string) bool){maps.Keys(l.paths)} // for the rest of its hosts it has no rules
	}
	return []func(func(string) bool){
		maps.Keys(l.credentials), maps.Keys(l.substitutions), maps.Keys(l.extra), maps.Keys(l.remove),
		maps.Keys(l.transformers), maps.Keys(l.kinds), maps.Keys(l.query), maps.Keys(l.paths),
	}
}

// rulesFor returns the rules of a host, and of its parts. The entry of a host with
// a port takes what it does not have itself from the entry without.
func (ls layers) rulesFor(host string) (*proxy.HostRules, error) {
	claims := ls.claims(host)
	rules, _, err := ls.rulesAt(host, claims, "")
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		if _, done := rules.Parts[c.prefix]; done || c.prefix == "" {
			continue
		}
		if rules.Parts == nil {
			rules.Parts = make(map[string]proxy.Part)
		}
		part, missing, err := ls.rulesAt(host, claims, c.prefix)
		if err != nil {
			return nil, err
		}
		rules.Parts[c.prefix] = proxy.Part{Rules: part, Missing: missing}
	}
	return rules, nil
}

// rulesAt returns the rules for the paths of a host below a prefix, and the grant
// whose credential they lack.
func (ls layers) rulesAt(host string, claims []claim, prefix string) (*proxy.HostRules, proxy.Missing, error) {
	won, err := at(claims, prefix)
	if err != nil {
		return nil, proxy.Missing{}, err
	}
	var missing proxy.Missing
	r := new(proxy.HostRules)
	for _, c := range won {
		if c.layer.missing.Grant != "" {
			missing = c.layer.missing
			continue
		}
		r.Credentials = append(r.Credentials, proxy.Header{Name: c.entry.Name, Value: c.entry.Value, Grant: c.entry.Grant})
	}
	counting := ls.counting(claims, won)
	for _, e := range gather(counting, host, func(l *layer) map[string][]ExtraHeaderEntry { return l.extra }) {
		r.Extra = append(r.Extra, proxy.Header{Name: e.Name, Value: e.Value})
	}
	for _, t := range gather(counting, host, func(l *layer) map[string][]credential.ResponseTransformer { return l.transformers }) {
		r.Respond = append(r.Respond, proxy.Adapt(t))
	}
	r.Remove = gather(counting, host, func(l *layer) map[string][]string { return l.remove })
	r.Query = gather(counting, host, func(l *layer) map[string][]string { return l.query })
	r.Kinds = gather(counting, host, func(l *layer) map[string][]string { return l.kinds })
	r.Remove = append(r.Remove, unsent(claims, won)...)
	r.Substitute, err = counting.substitutions(host)
	return r, missing, err
}

// counting returns the layers whose other rules count where these claims have won:
// those that have won, and those that claim nothing of the host.
func (ls layers) counting(claims, won []claim) layers {
	return slices.DeleteFunc(slices.Clone(ls), func(l *layer) bool {
		of := func(c claim) bool { return c.layer == l }
		return l.missing.Grant != "" || slices.ContainsFunc(claims, of) && !slices.ContainsFunc(won, of)
	})
}

// unsent returns the headers that carry a credential elsewhere on the host: what
// an agent sends in them is not meant for anybody.
func unsent(claims, won []claim) []string {
	var names []string
	for _, c := range claims {
		sent := func(w claim) bool { return w.layer.missing.Grant == "" && c.sameHeader(w) }
		if !slices.ContainsFunc(won, sent) && !slices.Contains(names, c.entry.Name) {
			names = append(names, c.entry.Name)
		}
	}
	return names
}

// gather returns what layers have for a host with its port, else for the host.
func gather[V any](ls layers, host string, table func(*layer) map[string][]V) []V {
	var all []V
	for _, l := range ls {
		all = append(all, table(l)[host]...)
	}
	if h, err := hosts.Parse(host); len(all) == 0 && err == nil && h.Port != 0 {
		return gather(ls, h.WithoutPort().String(), table)
	}
	return all
}

// substitutions returns the substitutions for a host; those of grants take the
// place of the one that the run was registered with. Two grants with one
// placeholder are in each other's way.
func (ls layers) substitutions(host string) ([]proxy.Substitution, error) {
	var own, granted []proxy.Substitution
	for _, l := range ls {
		s, ok := lookup(l.substitutions, host)
		if !ok {
			continue
		}
		sub := proxy.Substitution{Placeholder: s.Placeholder, Secret: s.RealToken, Grant: l.grant}
		if l.grant == "" {
			own = append(own, sub)
			continue
		}
		for _, g := range granted {
			if strings.Contains(g.Placeholder, s.Placeholder) || strings.Contains(s.Placeholder, g.Placeholder) {
				return nil, &collision{one: g.Grant, other: l.grant}
			}
		}
		granted = append(granted, sub)
	}
	if len(granted) > 0 {
		return granted, nil
	}
	return own, nil
}
