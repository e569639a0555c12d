// Package inject knows what is done to one request on its way to the upstream:
// what is taken out, what is replaced, what is put in, in an order that nothing
// can undo; and what is done to the answer on its way back. It has no clock, no
// lock and no globals; of I/O it knows the bodies, which it changes as they pass.
package inject

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// A Header is a header to put into requests.
type Header struct {
	Name  string // in any case
	Value string // secret where it is a credential
	Grant string // the grant that it comes from, "" for none
}

// A Substitution replaces a placeholder, which the agent knows, by the secret.
type Substitution struct {
	Placeholder string // not empty
	Secret      string // not empty
	Grant       string // the grant that it comes from, "" for none
}

// Rules are what is done to the requests for one host. They are not changed
// once they are in use; the zero value changes nothing but Proxy-* headers.
type Rules struct {
	Remove      []string // names of headers to take out
	Query       []string // names of parameters to take out of the query
	Substitute  []Substitution
	Extra       []Header // merged into what the client sent
	Credentials []Header // replace what the client sent
	Cleartext   bool     // the secrets may go over http://
	Stubs       []Stub   // replaced where the client sent them

	Respond []Transformer // of the answers, in this order
	Kinds   []string      // built-in transformers of the answers

	// Parts are what is done for parts of the host instead, by the canonical
	// prefix of their paths; see [Rules.At]. nil means that there are none.
	Parts map[string]Part
}

// Request changes out, which must be free of hop-by-hop headers, on its way to
// the upstream. The order matters: what the client sent is stripped before
// anything of ours is set, and the credential comes last.
func (r *Rules) Request(out *http.Request) {
	r.strip(out.Header)
	r.stripQuery(out.URL)
	r.scrubbable(out.Header)
	r.substitute(out)
	r.stubs(out.Header)
	r.substituteBody(out)
	r.extra(out.Header)
	r.inject(out.Header)
}

// Trailer takes out of the trailers of a request what its header must not have.
func (r *Rules) Trailer(t http.Header) { r.strip(t) }

// strip takes out what a client must not send.
func (r *Rules) strip(h http.Header) {
	for name := range h {
		if strings.HasPrefix(textproto.CanonicalMIMEHeaderKey(name), "Proxy-") {
			delete(h, name)
		}
	}
	if r == nil {
		return
	}
	for _, name := range r.Remove {
		h.Del(name)
	}
	for _, c := range r.Credentials {
		h.Del(c.Name)
	}
}

// extra merges the extra headers into what is left of the client's.
func (r *Rules) extra(h http.Header) {
	if r == nil {
		return
	}
	for _, e := range r.Extra {
		have := h.Values(e.Name)
		if len(have) == 0 {
			h.Set(e.Name, e.Value)
			continue
		}
		if merged := strings.Join(have, ", "); !listHas(merged, e.Value) {
			h.Set(e.Name, merged+", "+e.Value)
		}
	}
}

// listHas reports whether the comma list contains the element.
func listHas(list, element string) bool {
	for e := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(e) == element {
			return true
		}
	}
	return false
}

// inject sets the credentials.
func (r *Rules) inject(h http.Header) {
	if r == nil {
		return
	}
	for _, c := range r.Credentials {
		h.Set(c.Name, c.Value)
	}
}

// Grants returns the names of the grants whose secrets the rules send, each
// once, in the order of the rules.
func (r *Rules) Grants() []string {
	if r == nil {
		return nil
	}
	var names []string
	add := func(grant string) {
		if grant != "" && !slices.Contains(names, grant) {
			names = append(names, grant)
		}
	}
	for _, c := range r.Credentials {
		add(c.Grant)
	}
	for _, s := range r.Substitute {
		add(s.Grant)
	}
	for _, s := range r.Stubs {
		add(s.Credential.Grant)
	}
	return names
}

// Secret reports whether the rules put a secret into requests, those for a part
// of the host aside.
func (r *Rules) Secret() bool {
	return r != nil && len(r.Credentials)+len(r.Substitute)+len(r.Stubs) > 0
}

// Knows reports whether the rules replace the placeholder.
func (r *Rules) Knows(placeholder string) bool {
	return r != nil && slices.ContainsFunc(r.Substitute, func(s Substitution) bool { return s.Placeholder == placeholder })
}
