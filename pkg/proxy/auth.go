package proxy

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// tokenOf returns the token in Proxy-Authorization: the password of Basic,
// whoever the user, or the value of Bearer. "" means that there is none.
func tokenOf(r *http.Request) string {
	scheme, rest, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return rest
	case strings.EqualFold(scheme, "Basic"):
		plain, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(plain), ":")
		return password
	}
	return ""
}

// challenge asks for a token. The connection stays open, for clients that send
// their credentials only when asked.
func challenge(w http.ResponseWriter, r *http.Request, known bool) {
	text := "this proxy needs the token of a run: Proxy-Authorization is missing"
	if known {
		text = "no run has this proxy token; the run may have ended"
	}
	w.Header().Set("Proxy-Authenticate", `Basic realm="moat"`)
	refusal{
		id: newID(),
		verdict: Verdict{
			Status: http.StatusProxyAuthRequired, Reason: "proxy-token", Text: text,
			Hint: "start the client with moat run, or set HTTPS_PROXY=http://moat:TOKEN@HOST:PORT",
		},
	}.write(w, r)
}
