package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

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

// scanLimit is how much of a body is searched for the token, in bytes.
const scanLimit = 1 << 20

var errTokenInBody = errors.New("the token of the run stands in the body")

// A guard is the body of a request that ends with an error before the end of the
// token of its run. What came before may be at the upstream already; a body in a
// content coding is not looked into.
type guard struct {
	io.ReadCloser
	token []byte
	tail  []byte // of what was read, shorter than the token
	left  int    // bytes to search
	found atomic.Bool
}

// guarded gives r a body that is searched for the token, and returns that; nil if
// there is nothing to search.
func guarded(r *http.Request, token string) *guard {
	if r.Body == nil || r.Body == http.NoBody || len(token) < shortestToken {
		return nil
	}
	g := &guard{ReadCloser: r.Body, token: []byte(token), left: scanLimit}
	r.Body = g
	return g
}

// Read implements [io.Reader].
func (g *guard) Read(p []byte) (int, error) {
	if g.found.Load() {
		return 0, errTokenInBody
	}
	n, err := g.ReadCloser.Read(p)
	if g.left > 0 && g.search(p[:min(n, g.left)]) {
		g.found.Store(true)
		return 0, errTokenInBody
	}
	return n, err
}

// search reports whether the token ends in the next bytes.
func (g *guard) search(p []byte) bool {
	g.left -= len(p)
	border := append(g.tail, p[:min(len(p), len(g.token)-1)]...)
	if bytes.Contains(border, g.token) || bytes.Contains(p, g.token) {
		return true
	}
	if len(p) >= len(g.token) {
		border = p
	}
	g.tail = append(g.tail[:0], border[max(0, len(border)-len(g.token)+1):]...)
	return false
}

// caught reports whether the token was found. g may be nil.
func (g *guard) caught() bool { return g != nil && g.found.Load() }
