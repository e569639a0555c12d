package providers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// What stands in a template for the scope of a grant, "org/repo", and for its
// first segment, "org".
const (
	scopeMark = "{scope}"
	ownerMark = "{owner}"
)

// A template is a prefix of paths with marks for the scope.
type template string

// prefix returns the canonical prefix for a scope. It is lent where it is not the
// whole scope that it names: then grants with other scopes may want it too.
func (t template) prefix(scope string) (prefix string, lent bool) {
	owner, _, _ := strings.Cut(scope, "/")
	text := strings.NewReplacer(scopeMark, scope, ownerMark, owner).Replace(string(t))
	prefix, err := hosts.ParsePrefix(text)
	if err != nil {
		return "", true // not reached: template and scope were checked
	}
	return prefix, !strings.Contains(string(t), scopeMark)
}

// scopes reads "scopes".
func (v value) scopes(p *Provider) map[string][]template {
	if v.absent() {
		return nil
	}
	all := make(map[string][]template)
	for _, e := range v.list() {
		f := e.fields("hosts", "paths")
		paths := f["paths"].templates()
		for _, h := range f["hosts"].hosts() {
			if !slices.ContainsFunc(p.inject, func(i injection) bool { return i.host == h.name }) {
				h.fail("the provider injects nothing for this host")
			}
			all[h.name] = append(all[h.name], paths...)
		}
	}
	if len(p.substitute) > 0 {
		v.fail("cannot stand beside substitute, which is for a whole host")
	}
	for _, i := range p.inject {
		if _, ok := all[i.host]; !ok {
			v.fail("says nothing of " + i.host + ", where the provider injects")
			break
		}
	}
	return all
}

// templates reads a list of templates, one of which names the whole scope.
func (v value) templates() []template {
	var all []template
	scoped := false
	for _, e := range v.list() {
		text := e.oneLine()
		plain := strings.NewReplacer(scopeMark, "x", ownerMark, "x").Replace(text)
		if _, err := hosts.ParsePrefix(plain); err != nil {
			e.fail(err.Error())
		}
		if strings.ContainsAny(plain, "{}") {
			e.fail("may hold " + scopeMark + " and " + ownerMark + ", and no other braces")
		}
		scoped = scoped || strings.Contains(text, scopeMark)
		all = append(all, template(text))
	}
	if !scoped {
		v.fail("must be a list of paths, one of them with " + scopeMark)
	}
	return all
}

// Scoped reports whether the scope of a grant says which paths it is for. Else it
// only tells one credential of the provider from another.
func (p *Provider) Scoped() bool { return len(p.scopes) > 0 }

// maxSegments is how many segments a scope may have that stands for paths.
const maxSegments = 16

// CheckScope says why scope, which is not empty, could not stand for paths of the
// provider's hosts.
func (p *Provider) CheckScope(scope string) error {
	if !p.Scoped() {
		return nil
	}
	segments := strings.Split(scope, "/")
	if len(segments) > maxSegments {
		return fmt.Errorf("the scope has more than %d segments", maxSegments)
	}
	for _, s := range segments {
		if s == "" || s == "." || s == ".." || strings.ContainsFunc(s, notSegment) {
			return errors.New("the scope must be names of letters, digits, -, _ and . with a slash between them, such as org/repo")
		}
	}
	return nil
}

func notSegment(r rune) bool { return notAlnum(r) && !strings.ContainsRune("-_.", r) }

// A place is a part of a host, or the host, and what is sent there.
type place struct {
	injection

	prefix string
	lent   bool
}

// places returns where the credential of a grant is sent.
func (p *Provider) places(scope string) []place {
	var all []place
	if scope == "" || !p.Scoped() {
		for _, i := range p.inject {
			all = append(all, place{injection: i, prefix: i.path})
		}
		return all
	}
	for host, templates := range p.scopes {
		found := map[string]place{}
		for _, t := range templates {
			prefix, lent := t.prefix(scope)
			for _, at := range p.within(host, prefix) {
				at.lent = lent
				if have, twice := found[at.prefix]; !twice || have.lent {
					found[at.prefix] = at
				}
			}
		}
		for _, at := range found {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.host+a.prefix, b.host+b.prefix) })
	return all
}

// within returns what is sent to a host below prefix: there, what is sent to the
// nearest prefix above, and what is sent to parts of it.
func (p *Provider) within(host, prefix string) []place {
	var all []place
	var above *injection
	for _, i := range p.inject {
		switch {
		case i.host != host:
		case hosts.Below(prefix, i.path) && (above == nil || len(i.path) > len(above.path)):
			above = &i
		case hosts.Below(i.path, prefix) && i.path != prefix:
			all = append(all, place{injection: i, prefix: i.path})
		}
	}
	if above != nil {
		all = append(all, place{injection: *above, prefix: prefix})
	}
	return all
}
