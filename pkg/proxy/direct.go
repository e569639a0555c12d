package proxy

import (
	"errors"
	"net/http"
	"strings"
)

// direct serves what is meant for the proxy itself, and reports whether r is:
// a request in origin form to a path of ours. The token of the run is in it, and
// not in Proxy-Authorization.
func (p *Proxy) direct(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Host != "" || r.URL.Scheme != "" {
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
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	v := Verdict{Status: http.StatusUnauthorized, Reason: reasonToken, Text: errNoBearer.Error()}
	if strings.EqualFold(scheme, "Bearer") && token != "" {
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
