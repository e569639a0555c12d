// Package providers knows how a credential turns into headers for hosts. A
// provider is a YAML file: some are built in, users add their own.
package providers

import (
	"encoding/base64"
	"maps"
	"slices"
)

// Provider says what is done with a credential of one kind. It does not change,
// so it is safe for concurrent use. Only [Parse] makes one.
type Provider struct {
	name, description string
	inject            []injection
	extra             []extraHeader
	remove            []removal
	query             []removal
	substitute        []substitution
	kinds             []transformation
	scopes            map[string][]template // by host; none if a scope only tells accounts apart
	env               map[string]string
	validation        *Validation // nil for none
	login             *Login      // nil for none
	kept              bool        // its credentials go to no host by themselves
	anyText           bool        // its credentials stand in no header
}

// An injection is the header with the secret, for one host or a part of it.
type injection struct {
	host, header string
	path         string // canonical prefix of the paths that it is for; "" for all
	prefix       string // before the secret, if basicUser is empty
	basicUser    string // the user, where the secret is the password of HTTP Basic
}

type extraHeader struct{ host, name, value string }

// A removal is a header that is taken out, or a parameter of the query.
type removal struct{ host, name string }

// A transformation is a built-in transformer of a host's answers.
type transformation struct{ host, kind string }

type substitution struct{ host, placeholder string }

// value is what the header is set to.
func (i injection) value(secret string) string {
	if i.basicUser == "" {
		return i.prefix + secret
	}
	return "Basic " + i.basic(secret)
}

// basic is the token68 of HTTP Basic (RFC 7617).
func (i injection) basic(secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(i.basicUser + ":" + secret))
}

// Name is what stands before the colon in the names of its grants.
func (p *Provider) Name() string { return p.name }

// Description says in one line what the provider is for; it may be empty.
func (p *Provider) Description() string { return p.description }

// Hosts returns every host that the provider does something for, in canonical
// spelling, sorted, each once. The slice is the caller's.
func (p *Provider) Hosts() []string {
	all := map[string]bool{}
	for _, i := range p.inject {
		all[i.host] = true
	}
	for _, h := range p.extra {
		all[h.host] = true
	}
	for _, r := range slices.Concat(p.remove, p.query) {
		all[r.host] = true
	}
	for _, t := range p.kinds {
		all[t.host] = true
	}
	for _, s := range p.substitute {
		all[s.host] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// Env returns the variables that a run's processes get: placeholders, which
// make tools believe that they have a credential. The map is the caller's.
func (p *Provider) Env() map[string]string { return maps.Clone(p.env) }
