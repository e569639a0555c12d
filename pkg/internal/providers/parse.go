package providers

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
)

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
	f := v.fields("name", "description", "inject", "extra_headers", "remove_headers", "remove_query", "substitute",
		"transformers", "scopes", "env", "validate", "oauth")
	p := &Provider{
		name:        f["name"].providerName(),
		description: f["description"].oneLine(),
		inject:      f["inject"].injections(),
		remove:      f["remove_headers"].removals(),
		query:       f["remove_query"].parameters(),
		kinds:       f["transformers"].transformations(),
		substitute:  f["substitute"].substitutions(),
		env:         f["env"].variables(),
	}
	p.extra = f["extra_headers"].extraHeaders(p.inject)
	p.scopes = f["scopes"].scopes(p)
	p.validation = f["validate"].validation(p)
	p.login = f["oauth"].login()
	if len(p.inject)+len(p.substitute) == 0 && len(v.r.errs) == 0 { // else the errors say why
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

// variables reads "env".
func (v value) variables() map[string]string {
	env := map[string]string{}
	keys, values := v.pairs()
	for i, k := range keys {
		if strings.ContainsFunc(k, notVariable) || '0' <= k[0] && k[0] <= '9' {
			values[i].fail("not the name of a variable: letters, digits and _, no digit first")
		}
		if env[k] = values[i].oneLine(); env[k] == "" {
			values[i].fail("must not be empty, or tools would take it for unset")
		}
	}
	return env
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
