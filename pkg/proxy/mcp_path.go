package proxy

import (
	"errors"
	"net/url"
	"strings"
)

const (
	relayPrefix = "/mcp/"
	mostEscapes = 4 // of one another that are looked into
)

var (
	errRelayPath = errors.New("the path must be /mcp/TOKEN/SERVER, or go on below that")
	errDots      = errors.New("the path must not have dot segments")
)

// relayPath is the path of a request to be relayed.
type relayPath struct {
	token  string
	server string
	prefix string // of the path as it was sent, to the end of the server's name
	rest   string // what follows, escaped as it was sent: "" or from a slash on
}

// parseRelayPath takes an escaped path apart that begins with relayPrefix.
func parseRelayPath(escaped string) (relayPath, error) {
	token, after, ok := strings.Cut(strings.TrimPrefix(escaped, relayPrefix), "/")
	name, _, _ := strings.Cut(after, "/")
	rp := relayPath{rest: after[len(name):]}
	rp.prefix = strings.TrimSuffix(escaped, rp.rest)
	var errs [2]error
	rp.token, errs[0] = url.PathUnescape(token)
	rp.server, errs[1] = url.PathUnescape(name)
	switch {
	case !ok || errs[0] != nil || errs[1] != nil || rp.token == "" || !validServerName(rp.server):
		return rp, errRelayPath
	case dotted(rp.rest):
		return rp, errDots
	}
	return rp, nil
}

// dotted reports whether an upstream may read a dot segment in a path: also one
// whose dots or slashes are escaped, once or more, or that has a parameter. What
// is escaped more often than anybody means it counts as one.
func dotted(escaped string) bool {
	text := escaped
	for range mostEscapes {
		if hasDots(text) {
			return true
		}
		plain, err := url.PathUnescape(text)
		if err != nil || plain == text {
			return false
		}
		text = plain
	}
	return true
}

// hasDots reports whether a path has a dot segment as it stands there.
func hasDots(plain string) bool {
	for segment := range strings.FieldsFuncSeq(plain, func(c rune) bool { return c == '/' || c == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

// join returns the URL of a request to the server: base with the rest of a path,
// as it was sent, and with both queries.
func join(base *url.URL, rest, query string) *url.URL {
	u := *base
	escaped := base.EscapedPath()
	if rest != "" {
		escaped = strings.TrimSuffix(escaped, "/") + rest
	}
	if plain, err := url.PathUnescape(escaped); err == nil { // it always is: both parts come from URLs
		u.Path, u.RawPath = plain, escaped
	}
	if query != "" {
		u.RawQuery = strings.TrimPrefix(base.RawQuery+"&"+query, "&")
	}
	return &u
}

// below undoes join: it returns what stands behind base in u, escaped, and false
// if u is not below base.
func below(base, u *url.URL) (rest, query string, ok bool) {
	if u.Scheme != base.Scheme || u.User != nil || !sameAuthority(base, u) {
		return "", "", false
	}
	root := strings.TrimSuffix(base.EscapedPath(), "/")
	rest, ok = strings.CutPrefix(u.EscapedPath(), root)
	if !ok || rest != "" && rest[0] != '/' || dotted(rest) {
		return "", "", false
	}
	query = u.RawQuery
	if own := base.RawQuery; own != "" {
		query = strings.TrimPrefix(strings.TrimPrefix(query, own), "&")
	}
	return rest, query, true
}

func sameAuthority(base, u *url.URL) bool {
	h, err := MCPHost(base.String())
	if err != nil {
		return false // not reached: base was parsed
	}
	other, err := MCPHost(u.Scheme + "://" + u.Host)
	return err == nil && other == h
}
