package inject

import (
	"net/url"
	"strings"
)

// stripQuery takes the parameters that a client must not send out of a query and
// leaves the others as they were written. Both & and ; part parameters, as some
// servers have it.
func (r *Rules) stripQuery(u *url.URL) {
	if r == nil || len(r.Query) == 0 || u.RawQuery == "" {
		return
	}
	var kept strings.Builder
	for rest := u.RawQuery; rest != ""; {
		part, sign := rest, ""
		if i := strings.IndexAny(rest, "&;"); i >= 0 {
			part, sign = rest[:i], rest[i:i+1]
		}
		rest = rest[len(part)+len(sign):]
		if !r.unwanted(part) {
			kept.WriteString(part + sign)
		}
	}
	if kept.Len() < len(u.RawQuery) {
		u.RawQuery = strings.TrimRight(kept.String(), "&;")
	}
}

// unwanted reports whether a parameter has a name that is to be taken out,
// however it is spelled.
func (r *Rules) unwanted(parameter string) bool {
	name, _, _ := strings.Cut(parameter, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	for _, q := range r.Query {
		if strings.EqualFold(q, name) {
			return true
		}
	}
	return false
}
