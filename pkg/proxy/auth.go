package proxy

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// Why a request is of no run; the texts are for its client.
var (
	errNoToken      = errors.New("this proxy needs the token of a run: Proxy-Authorization is missing")
	errBadToken     = errors.New("Proxy-Authorization has no token that can be read: it must be Basic with the token as password, or Bearer")
	errUnknownToken = errors.New("no run has this proxy token; the run may have ended")
)

// tokenOf returns the token in Proxy-Authorization: the password of Basic,
// whoever the user, or the value of Bearer. It is never "".
func tokenOf(r *http.Request) (string, error) {
	value := r.Header.Get("Proxy-Authorization")
	if value == "" {
		return "", errNoToken
	}
	scheme, token, _ := strings.Cut(value, " ")
	token = strings.TrimSpace(token)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "Basic"):
		plain, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return "", errBadToken
		}
		_, token, _ = strings.Cut(string(plain), ":")
	default:
		return "", errBadToken
	}
	if token == "" {
		return "", errBadToken
	}
	return token, nil
}

// challenge asks for a token. The connection stays open, for clients that send
// their credentials only when asked.
func challenge(reason error) refusal {
	return refusal{id: newID(), verdict: Verdict{
		Status: http.StatusProxyAuthRequired, Reason: reasonToken, Text: reason.Error(),
		Hint: "start the client with moat run, or set HTTPS_PROXY=http://moat:TOKEN@HOST:PORT",
	}}
}
