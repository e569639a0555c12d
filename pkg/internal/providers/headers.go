package providers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// minPlaceholder is the length below which a placeholder could stand in a
// request by chance.
const minPlaceholder = 8

// injections reads "inject". A host gets one credential only, and each part of it.
func (v value) injections() []injection {
	var all []injection
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "paths", "header", "prefix", "basic_user")
		i := injection{header: f["header"].headerName("Authorization"), prefix: f["prefix"].oneLine(), basicUser: f["basic_user"].oneLine()}
		if !f["prefix"].absent() && !f["basic_user"].absent() {
			f["prefix"].fail("cannot stand beside basic_user, which makes the whole value")
		}
		if strings.Contains(i.basicUser, ":") {
			f["basic_user"].fail("must not hold a colon, which would end it")
		}
		paths := f["paths"].prefixes()
		for _, h := range f["hosts"].hosts() {
			for _, path := range paths {
				taken.claim(h.value, h.name+path, "this host has a credential")
				i.host, i.path = h.name, path
				all = append(all, i)
			}
		}
	}
	return all
}

// prefixes reads a list of prefixes of paths; without one it is all paths, "".
func (v value) prefixes() []string {
	if v.absent() {
		return []string{""}
	}
	var all []string
	elems := v.list()
	if len(elems) == 0 {
		v.fail("must be a list of paths")
	}
	for _, e := range elems {
		prefix, err := hosts.ParsePrefix(e.oneLine())
		if err != nil {
			e.fail(err.Error())
		}
		all = append(all, prefix)
	}
	return all
}

// extraHeaders reads "extra_headers"; none may be one that a credential of
// injected would overwrite.
func (v value) extraHeaders(injected []injection) []extraHeader {
	var all []extraHeader
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "name", "value")
		name, text := f["name"].headerName(""), f["value"].oneLine()
		if text == "" {
			f["value"].fail("must not be empty")
		}
		for _, h := range f["hosts"].hosts() {
			taken.claim(h.value, h.name+" "+strings.ToLower(name)+" "+text, "this header is added to this host")
			for _, i := range injected {
				if i.host == h.name && strings.EqualFold(i.header, name) {
					f["name"].fail("the credential for " + h.name + " is sent in this header")
				}
			}
			all = append(all, extraHeader{h.name, name, text})
		}
	}
	return all
}

func (v value) removals() []removal {
	var all []removal
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "name")
		name := f["name"].headerName("")
		for _, h := range f["hosts"].hosts() {
			taken.claim(h.value, h.name+" "+strings.ToLower(name), "this header is removed for this host")
			all = append(all, removal{h.name, name})
		}
	}
	return all
}

// parameters reads "remove_query".
func (v value) parameters() []removal {
	var all []removal
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "name")
		name := f["name"].oneLine()
		if name == "" {
			f["name"].fail("must be the name of a parameter")
		}
		for _, h := range f["hosts"].hosts() {
			taken.claim(h.value, h.name+" "+strings.ToLower(name), "this parameter is removed for this host")
			all = append(all, removal{h.name, name})
		}
	}
	return all
}

// transformerKinds are the built-in transformers that a provider may name.
var transformerKinds = []string{"oauth-endpoint-workaround", "response-scrub"}

// transformations reads "transformers".
func (v value) transformations() []transformation {
	var all []transformation
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "kind")
		kind := f["kind"].text()
		if !slices.Contains(transformerKinds, kind) {
			f["kind"].fail("must be " + strings.Join(transformerKinds, " or "))
		}
		for _, h := range f["hosts"].hosts() {
			taken.claim(h.value, h.name+" "+kind, "this host has this transformer")
			all = append(all, transformation{h.name, kind})
		}
	}
	return all
}

// substitutions reads "substitute". A host has one placeholder only, as the
// proxy keeps one for each.
func (v value) substitutions() []substitution {
	var all []substitution
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "placeholder")
		text := f["placeholder"].text()
		if len(text) < minPlaceholder || strings.ContainsFunc(text, notPlaceholder) {
			f["placeholder"].fail("must be at least " + strconv.Itoa(minPlaceholder) +
				" of letters, digits and -._~:, which stay as they are in a URL")
		}
		for _, h := range f["hosts"].hosts() {
			taken.claim(h.value, h.name, "this host has a placeholder")
			all = append(all, substitution{h.name, text})
		}
	}
	return all
}
