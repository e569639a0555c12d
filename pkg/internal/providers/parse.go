package providers

import (
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
)

// minPlaceholder is the length below which a placeholder could stand in a
// request by chance.
const minPlaceholder = 8

// Parse reads the file of a provider; file is its path, for the errors, and its
// base name must be the provider's name with ".yaml". The error joins one for
// each mistake, as in "github.yaml:7: inject[0].hosts[1]: …".
//
// Nothing is passed over: unknown fields, wrong types, what could never be sent
// and what would be overwritten are mistakes.
func Parse(file string, data []byte) (*Provider, error) {
	r := &reader{file: file}
	root, err := r.document(data)
	if err != nil {
		return nil, err
	}
	if root.absent() {
		root.fail("is empty")
	}
	p := root.provider()
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	return p, nil
}

func (v value) provider() *Provider {
	f := v.fields("name", "description", "inject", "extra_headers", "remove_headers", "substitute", "env", "validate")
	p := &Provider{
		name:        f["name"].providerName(),
		description: f["description"].oneLine(),
		inject:      f["inject"].injections(),
		remove:      f["remove_headers"].removals(),
		substitute:  f["substitute"].substitutions(),
		env:         f["env"].variables(),
	}
	p.extra = f["extra_headers"].extraHeaders(p.inject)
	p.validateURL = f["validate"].validation(p)
	if f["inject"].absent() && f["substitute"].absent() {
		v.fail("neither inject nor substitute: the credential would go nowhere")
	}
	return p
}

func (v value) providerName() string {
	name := v.text()
	base := strings.TrimSuffix(filepath.Base(v.r.file), ".yaml")
	if name != base {
		v.fail("must be the name of the file, " + strconv.Quote(base))
	}
	if _, scope, err := credential.ParseGrant(name); err != nil || scope != "" {
		v.fail("must be 1 to 64 of a-z, 0-9 and -")
	}
	return name
}

// injections reads "inject". A host gets one credential only, as the proxy
// keeps one for each.
func (v value) injections() []injection {
	var all []injection
	taken := lines{}
	for _, e := range v.list() {
		f := e.fields("hosts", "header", "prefix", "basic_user")
		i := injection{header: f["header"].headerName("Authorization"), prefix: f["prefix"].oneLine(), basicUser: f["basic_user"].oneLine()}
		if !f["prefix"].absent() && !f["basic_user"].absent() {
			f["prefix"].fail("cannot stand beside basic_user, which makes the whole value")
		}
		if strings.Contains(i.basicUser, ":") {
			f["basic_user"].fail("must not hold a colon, which would end it")
		}
		for _, h := range f["hosts"].hosts() {
			taken.claim(h.value, h.name, "this host has a credential")
			i.host = h.name
			all = append(all, i)
		}
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

// variables reads "env".
func (v value) variables() map[string]string {
	env := map[string]string{}
	keys, values := v.pairs()
	for i, k := range keys {
		if k == "" || strings.ContainsFunc(k, notVariable) || '0' <= k[0] && k[0] <= '9' {
			values[i].fail("not the name of a variable: letters, digits and _, no digit first")
		}
		if env[k] = values[i].oneLine(); env[k] == "" {
			values[i].fail("must not be empty, or tools would take it for unset")
		}
	}
	return env
}

// validation reads "validate". The URL is sent the credential, so it must be
// where p sends it anyway, and nobody may listen on the way.
func (v value) validation(p *Provider) string {
	if v.absent() {
		return ""
	}
	at := v.fields("url")["url"]
	text := at.oneLine()
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		at.fail("must be a URL with a host, and without a user or a fragment")
		return ""
	}
	host, err := hosts.Parse(u.Host)
	if err != nil {
		at.fail(err.Error())
		return ""
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !host.IsLoopback()) {
		at.fail("must be https, as the credential is sent there")
	}
	if !p.sendsTo(host) {
		at.fail("the provider sends no credential to " + host.String())
	}
	return text
}

// sendsTo reports whether host is sent the credential.
func (p *Provider) sendsTo(host hosts.Host) bool {
	is := func(name string) bool { return name == host.String() || name == host.WithoutPort().String() }
	for _, i := range p.inject {
		if is(i.host) {
			return true
		}
	}
	for _, s := range p.substitute {
		if is(s.host) {
			return true
		}
	}
	return false
}
