package inject

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
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
// in its path, its query, or a header, in Authorization also inside Basic. Headers
// for the proxy are none, since they do not go out.
func (s Substitution) Found(req *http.Request) bool {
	if s.in(req.URL.EscapedPath()) || s.in(req.URL.RawQuery) {
		return true
	}
	for name, values := range req.Header {
		if strings.HasPrefix(name, "Proxy-") {
			continue
		}
		for _, v := range values {
			if strings.Contains(v, s.Placeholder) || name == "Authorization" && s.authorization(v) != v {
				return true
			}
		}
	}
	return false
}

// in reports whether the placeholder stands in a part of a URL.
func (s Substitution) in(text string) bool {
	nothing := func(string) string { return "" }
	return s.replace(text, nothing) != text
}

// replace puts the secret, escaped, in the place of the placeholder in a part
// of a URL, whichever of its letters are escaped there.
func (s Substitution) replace(text string, escape func(string) string) string {
	if !strings.Contains(text, "%") {
		return strings.ReplaceAll(text, s.Placeholder, escape(s.Secret))
	}
	var out strings.Builder
	for text != "" {
		if n := escapedPrefix(text, s.Placeholder); n > 0 {
			out.WriteString(escape(s.Secret))
			text = text[n:]
			continue
		}
		_, n := letter(text)
		out.WriteString(text[:n])
		text = text[n:]
	}
	return out.String()
}

// escapedPrefix returns the length of what at the start of text means prefix,
// and 0 if that does not stand there.
func escapedPrefix(text, prefix string) int {
	rest := text
	for i := range len(prefix) {
		if rest == "" {
			return 0
		}
		c, n := letter(rest)
		if c != prefix[i] {
			if rest[0] != prefix[i] {
				return 0
			}
			n = 1 // a percent sign that means itself
		}
		rest = rest[n:]
	}
	return len(text) - len(rest)
}

// letter returns the first letter of a part of a URL, which is not empty, and
// how many bytes it takes there: 3 if it is escaped.
func letter(text string) (c byte, n int) {
	if text[0] == '%' && len(text) >= 3 {
		if c, err := strconv.ParseUint(text[1:3], 16, 8); err == nil {
			return byte(c), 3
		}
	}
	return text[0], 1
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
