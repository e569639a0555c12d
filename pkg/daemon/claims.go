package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/proxy"
)

// granted is what the grants of a run set, as of one refresh.
type granted struct {
	layers  layers                       // one for each grant
	secrets map[string]credential.Secret // by grant, of MCP servers
}

// closed returns what of missing closes whole hosts: a grant for parts of a host
// closes these parts alone.
func (g *granted) closed(missing []proxy.MissingGrant) []proxy.MissingGrant {
	var whole []proxy.MissingGrant
	for _, m := range missing {
		known := len(m.Hosts) > 0
		m.Hosts = slices.DeleteFunc(slices.Clone(m.Hosts), func(host string) bool { return g.parted(m.Grant, host) })
		if len(m.Hosts) > 0 || !known {
			whole = append(whole, m)
		}
	}
	return whole
}

// parted reports whether the grant, whose credential is missing, is for parts of
// the host and not for all of it.
func (g *granted) parted(grant, host string) bool {
	return g != nil && slices.ContainsFunc(g.layers, func(l *layer) bool {
		_, whole := l.credentials[key(host)]
		return l.missing.Grant == grant && !whole && len(l.paths[key(host)]) > 0
	})
}

// A claim is a header that a layer wants to be sent to a host.
type claim struct {
	layer  *layer
	prefix string // canonical, of the paths that it is for; "" for the whole host
	entry  CredentialEntry
	lent   bool     // it gives way to any other for the same paths or for the whole host
	remove []string // the headers that must not stand beside it
}

func (c claim) sameHeader(d claim) bool { return strings.EqualFold(c.entry.Name, d.entry.Name) }

// claims returns what is claimed of a host. Where anything is claimed of its port
// that counts, else what is claimed of the host alone.
func (ls layers) claims(host string) []claim {
	h, err := hosts.Parse(host)
	names := []string{host}
	if err == nil && h.Port != 0 {
		names = append(names, h.WithoutPort().String())
	}
	for _, name := range names {
		var all []claim
		for _, l := range ls {
			all = append(all, l.claims(name)...)
		}
		if len(all) > 0 {
			return withoutBase(withoutLent(all))
		}
	}
	return nil
}

// claims returns what the layer claims of exactly that host.
func (l *layer) claims(host string) []claim {
	all := slices.Clone(l.paths[host])
	if c, ok := l.credentials[host]; ok {
		all = append(all, claim{layer: l, entry: c})
	}
	if l.grant == "" { // what a run takes out of its own accord is in nobody's way
		return all
	}
	for i := range all {
		all[i].remove = l.remove[host]
	}
	return all
}

// withoutLent drops the lent claims that others are in the way of.
func withoutLent(all []claim) []claim {
	return slices.DeleteFunc(slices.Clone(all), func(c claim) bool {
		return c.lent && slices.ContainsFunc(all, func(d claim) bool {
			return d.layer != c.layer && d.sameHeader(c) && (d.prefix == "" || d.prefix == c.prefix)
		})
	})
}

// withoutBase drops what the run was registered with where a grant has a
// credential for the whole host: it is the newer one.
func withoutBase(all []claim) []claim {
	if !slices.ContainsFunc(all, func(c claim) bool { return c.layer.grant != "" && c.prefix == "" }) {
		return all
	}
	return slices.DeleteFunc(all, func(c claim) bool { return c.layer.grant == "" })
}

// at returns the claims that count for the paths below prefix. Of each layer it
// is the one with the longest prefix; of those with one header it is so again. An
// error means that two grants are in each other's way.
func at(all []claim, prefix string) ([]claim, error) {
	var won []claim
	for _, c := range all {
		if !hosts.Below(prefix, c.prefix) {
			continue
		}
		i := slices.IndexFunc(won, func(w claim) bool { return w.layer == c.layer })
		switch {
		case i < 0:
			won = append(won, c)
		case len(c.prefix) > len(won[i].prefix):
			won[i] = c
		}
	}
	slices.SortStableFunc(won, func(a, b claim) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return undisputed(won)
}

// undisputed drops the claims that another one rules out; those with longer prefixes
// come first.
func undisputed(won []claim) ([]claim, error) {
	var kept []claim
	for _, c := range won {
		i := slices.IndexFunc(kept, func(k claim) bool { return k.excludes(c) || c.excludes(k) && len(c.prefix) == len(k.prefix) })
		if i < 0 {
			kept = append(kept, c)
			continue
		}
		if k := kept[i]; len(k.prefix) == len(c.prefix) {
			return nil, &collision{k.layer.grant, c.layer.grant, k.prefix}
		}
	}
	return kept, nil
}

// excludes reports whether c and d cannot both be sent: they are one header, or
// the one takes out the other's, since the host would not have both.
func (c claim) excludes(d claim) bool {
	return c.sameHeader(d) || slices.ContainsFunc(c.remove, func(name string) bool { return strings.EqualFold(name, d.entry.Name) })
}

// A collision is of two grants whose credentials cannot both be sent.
type collision struct{ one, other, prefix string }

// Error implements [error].
func (c *collision) Error() string {
	where := "all paths"
	if c.prefix != "" {
		where = "paths below " + c.prefix
	}
	return fmt.Sprintf("the grants %s and %s each have a credential for %s, and only one can be sent; leave one of them out",
		c.one, c.other, where)
}
