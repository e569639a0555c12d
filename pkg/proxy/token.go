package proxy

import (
	"net/http"
	"strings"

	"github.com/moatd/moatd/pkg/internal/inject"
)

// shortestToken is the length of the shortest token that is looked for; those
// that moatd makes are longer, and a shorter one would be found everywhere.
const shortestToken = 16

// carries reports whether the token of the run would go out with r, whose head is
// h: in its host, path or query, or in a header, in Authorization also inside
// Basic. What is for the proxy alone does not go out.
func carries(r *http.Request, h Head, token string) bool {
	if len(token) < shortestToken {
		return false
	}
	if strings.Contains(h.Target.Name, strings.ToLower(token)) || (inject.Substitution{Placeholder: token}).Found(r) {
		return true
	}
	for name := range r.Header {
		if len(name) >= len(token) && strings.Contains(strings.ToLower(name), strings.ToLower(token)) {
			return true
		}
	}
	return false
}
