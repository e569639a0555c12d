package aws

import (
	"encoding/json"
	"errors"
	"net/http"
)

// refusal is the body of an answer without credentials.
type refusal struct {
	Error string `json:"error"`
	Code  string `json:"code"`
}

// ServeHTTP answers a GET with the document that credential_process of the AWS
// tools prints, and where there are no credentials with 502 and the reason. Who
// may ask is for the caller to know.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		write(w, http.StatusMethodNotAllowed, refusal{"the credentials are read with GET", "method"})
		return
	}
	creds, err := p.Credentials(r.Context())
	if e, ok := errors.AsType[*Error](err); ok {
		write(w, http.StatusBadGateway, refusal{e.Error(), e.Code})
		return
	}
	if err != nil { // the client is gone, or will not like to wait
		write(w, http.StatusBadGateway, refusal{"assume " + p.role.ARN + ": " + err.Error(), codeTimeout})
		return
	}
	write(w, http.StatusOK, creds)
}

func write[T any](w http.ResponseWriter, status int, body T) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nothing to tell it
}
