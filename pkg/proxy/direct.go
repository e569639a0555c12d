package proxy

import (
	"errors"
	"net/http"
	"strings"
)

// direct serves what is meant for the proxy itself, and reports whether r is. The
// token of the run is in its path or in Authorization, and Proxy-Authorization
// does not count.
func (p *Proxy) direct(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.IsAbs() && !p.sentThroughItself(r) {
		return false
	}
	switch path := r.URL.EscapedPath(); {
	case strings.HasPrefix(path, relayPrefix):
		p.relay(w, r)
	case path == awsPath:
		p.awsCredentials(w, r)
	default:
		return false
	}
	return true
}

// sentThroughItself reports whether a request with an absolute URL is meant for
// the proxy: many clients ask their proxy for that too, by whatever name it has
// for them, as NO_PROXY is empty in a run. What tells is the token of a run where
// no other server expects it; that must not go out anyway.
func (p *Proxy) sentThroughItself(r *http.Request) bool {
	token := bearerToken(r)
	switch path := r.URL.EscapedPath(); {
	case strings.HasPrefix(path, relayPrefix):
		rp, _ := parseRelayPath(path) // the token is there also where the rest makes no sense
		token = rp.token
	case path != awsPath:
		return false
	}
	if token == "" || r.URL.Scheme != "http" {
		return false
	}
	_, ok := p.opts.Runs(token)
	return ok
}

// bearerToken returns what stands in Authorization: Bearer, "" for nothing.
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// refuseDirect returns the refusal of a request to the proxy itself.
func (p *Proxy) refuseDirect(v Verdict) refusal {
	f := refusal{id: newID(), verdict: v}
	p.opts.Log.WithField("request_id", f.id).Debug("request to the proxy itself refused: " + v.Reason)
	return f
}

const awsPath = "/_aws/credentials"

var errNoBearer = errors.New("the token of the run must stand in Authorization: Bearer TOKEN")

// awsCredentials answers with the credentials of the run's AWS role, and always
// as JSON.
func (p *Proxy) awsCredentials(w http.ResponseWriter, r *http.Request) {
	v := Verdict{Status: http.StatusUnauthorized, Reason: reasonToken, Text: errNoBearer.Error()}
	if token := bearerToken(r); token != "" {
		run, ok := p.opts.Runs(token)
		switch {
		case ok && run.aws != nil:
			run.aws.ServeHTTP(w, r)
			return
		case ok:
			v = Verdict{Status: http.StatusNotFound, Reason: "aws-role", Text: "this run has no AWS role"}
		default:
			v.Text = errUnknownToken.Error()
		}
	}
	if v.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="moat"`)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	p.refuseDirect(v).write(w, r)
}
