package inject

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Stub is what an agent sends in one header, alone or after a scheme such as
// Bearer, for the credential that it does not know. It is replaced there and
// nowhere else: the path, the query and the body are not places for it.
type Stub struct {
	Placeholder string // not empty, without spaces
	Credential  Header // takes the place of the whole value
}

// stubs replaces the stubs in the headers of a request.
func (r *Rules) stubs(h http.Header) {
	if r == nil {
		return
	}
	for _, s := range r.Stubs {
		if slices.ContainsFunc(h.Values(s.Credential.Name), s.is) {
			h.Set(s.Credential.Name, s.Credential.Value)
		}
	}
}

// is reports whether value is the stub, with or without a scheme.
func (s Stub) is(value string) bool {
	words := strings.Fields(value)
	return len(words) > 0 && len(words) <= 2 && words[len(words)-1] == s.Placeholder
}

// Found reports whether the stub stands in the path, the query or a header of req.
func (s Stub) Found(req *http.Request) bool {
	if s.in(unescaped(req.URL.EscapedPath())) || s.in(unescaped(req.URL.RawQuery)) {
		return true
	}
	for _, values := range req.Header {
		if slices.ContainsFunc(values, s.in) {
			return true
		}
	}
	return false
}

// in reports whether the stub stands in text, and not as the beginning of a
// longer one: moat-stub-mcp:a does not stand in moat-stub-mcp:ab.
func (s Stub) in(text string) bool {
	for {
		_, after, found := strings.Cut(text, s.Placeholder)
		if !found {
			return false
		}
		if after == "" || !inGrant(after[0]) {
			return true
		}
		text = after
	}
}

// inGrant reports whether the names of grants are written with c. They may have
// other signs; a stub of such a one is taken for one too many, and refused.
func inGrant(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.:/@", c) >= 0
}

// unescaped returns a part of a URL as it is read, or as it is if it cannot be.
func unescaped(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

func (r *Rules) checkStubs() error {
	for _, s := range r.Stubs {
		if s.Placeholder == "" || strings.ContainsAny(s.Placeholder, " \t") {
			return errors.New("a stub must not be empty or hold spaces")
		}
		if err := checkHeader(s.Credential); err != nil {
			return err
		}
	}
	return nil
}
