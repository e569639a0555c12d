package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// A relay is the way of one request to an MCP server by its name.
type relay struct {
	name   string
	prefix string // of the paths that lead to the server; the token is in it
	base   *url.URL
}

type relayKey struct{}

func relayOf(ctx context.Context) *relay {
	rl, _ := ctx.Value(relayKey{}).(*relay) // nil for a request that is not relayed
	return rl
}

// serverName returns the MCP server that a request is relayed to, "" for none.
func serverName(r *http.Request) string {
	if rl := relayOf(r.Context()); rl != nil {
		return rl.name
	}
	return ""
}

var errTokenInURL = errors.New("the token of the run stands in the part of the URL that is for the server")

// relay turns a request to /mcp/TOKEN/SERVER into one with the absolute URL of
// the server, and has it served as any other.
func (p *Proxy) relay(w http.ResponseWriter, r *http.Request) {
	rp, err := parseRelayPath(r.URL.EscapedPath())
	if err != nil {
		p.refuseDirect(malformed(err)).write(w, r)
		return
	}
	run, ok := p.opts.Runs(rp.token)
	if !ok {
		p.refuseDirect(Verdict{Status: http.StatusForbidden, Reason: reasonToken, Text: errUnknownToken.Error()}).write(w, r)
		return
	}
	s, ok := run.servers[rp.server]
	if !ok {
		v, _ := unknownServer(run, Head{Server: rp.server})
		if run.closed != nil {
			v, _ = missingCredential(run, Head{})
		}
		p.refuseDirect(v).write(w, r)
		return
	}
	if held(rp.rest, rp.token) || held(r.URL.RawQuery, rp.token) {
		p.refuseDirect(malformed(errTokenInURL)).write(w, r)
		return
	}
	rl := &relay{name: rp.server, prefix: rp.prefix, base: s.base}
	out := r.WithContext(context.WithValue(r.Context(), relayKey{}, rl))
	out.URL = join(s.base, rp.rest, r.URL.RawQuery)
	out.Host = out.URL.Host
	out.Header = relayHeader(r.Header, rp.token)
	p.serve(w, out, nil)
}

// relayHeader returns the header without what a relay before ours has said, and
// without the token wherever it stands, but with it where the proxy reads it.
func relayHeader(h http.Header, token string) http.Header {
	h = h.Clone()
	for name, values := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || held(strings.Join(values, "\n"), token) {
			delete(h, name)
		}
	}
	h.Set("Proxy-Authorization", "Bearer "+token)
	return h
}

// held reports whether the token stands in text, escaped or not.
func held(text, token string) bool {
	plain, err := url.PathUnescape(text)
	return strings.Contains(text, token) || err == nil && strings.Contains(plain, token)
}

// returned changes the head of a server's answer: a redirect within the server
// leads through the relay again, another one to where it did. A cookie would be
// set for all that is behind the proxy's address.
func (rl *relay) returned(res *http.Response) {
	if rl == nil {
		return
	}
	res.Header.Del("Set-Cookie")
	if loc := res.Header.Get("Location"); loc != "" {
		res.Header.Set("Location", rl.location(res.Request.URL, loc))
	}
}

// location returns where a Location in the answer to the URL from leads a client
// of the relay.
func (rl *relay) location(from *url.URL, loc string) string {
	u, err := from.Parse(loc)
	if err != nil {
		return loc
	}
	rest, query, ok := below(rl.base, u)
	if !ok {
		return u.String()
	}
	to := rl.prefix + rest
	if query != "" {
		to += "?" + query
	}
	if u.Fragment != "" {
		to += "#" + u.EscapedFragment()
	}
	return to
}
