package inject

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// substitute replaces placeholders where credentials stand: in the path, the
// query and Authorization, there also inside Basic.
func (r *Rules) substitute(out *http.Request) {
	if r == nil {
		return
	}
	for _, s := range r.Substitute {
		s.path(out.URL)
		out.URL.RawQuery = s.replace(out.URL.RawQuery, url.QueryEscape)
		for i, v := range out.Header["Authorization"] {
			out.Header["Authorization"][i] = s.authorization(v)
		}
	}
}

// Found reports whether the placeholder stands in a credential position of req:
// in its path, its query or its Authorization.
func (s Substitution) Found(req *http.Request) bool {
	marked := Substitution{Placeholder: s.Placeholder, Secret: "\x00"}
	has := func(before, after string) bool { return before != after }
	escaped := req.URL.EscapedPath()
	if has(escaped, marked.replace(escaped, url.PathEscape)) ||
		has(req.URL.RawQuery, marked.replace(req.URL.RawQuery, url.QueryEscape)) {
		return true
	}
	for _, v := range req.Header["Authorization"] {
		if has(v, marked.authorization(v)) {
			return true
		}
	}
	return false
}

// replace puts the secret, escaped, in the place of the placeholder, whether
// that is escaped or not.
func (s Substitution) replace(text string, escape func(string) string) string {
	if text == "" {
		return text
	}
	secret := escape(s.Secret)
	text = strings.ReplaceAll(text, s.Placeholder, secret)
	if escaped := escape(s.Placeholder); escaped != s.Placeholder {
		text = strings.ReplaceAll(text, escaped, secret)
	}
	return text
}

func (s Substitution) path(u *url.URL) {
	before := u.EscapedPath()
	after := s.replace(before, url.PathEscape)
	if after == before {
		return
	}
	path, err := url.PathUnescape(after)
	if err != nil {
		return // not reached: both parts are escaped
	}
	u.Path, u.RawPath = path, after
}

// authorization replaces the placeholder in the value of an Authorization
// header, also where it is part of the encoded user:password of Basic.
func (s Substitution) authorization(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return strings.ReplaceAll(value, s.Placeholder, s.Secret)
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil || !strings.Contains(string(plain), s.Placeholder) {
		return value
	}
	plain = []byte(strings.ReplaceAll(string(plain), s.Placeholder, s.Secret))
	return scheme + " " + base64.StdEncoding.EncodeToString(plain)
}
