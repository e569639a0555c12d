package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// newID returns a request id: 64 random bits.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails; it ends the program instead
	return "req_" + hex.EncodeToString(b[:])
}

// malformed is the verdict on a request that cannot be understood.
func malformed(err error) Verdict {
	return Verdict{Status: http.StatusBadRequest, Reason: reasonMalformed, Rule: "syntax", Text: err.Error()}
}

// A refusal is the answer to a request that does not go out.
type refusal struct {
	id      string
	verdict Verdict
	header  string // that names the reason; "" means X-Moat-Blocked
}

// outsideTunnel is v for a request that is not in a tunnel: clients show a 407
// of their proxy, and would take a 403 for the upstream's.
func (v Verdict) outsideTunnel(r *http.Request) Verdict {
	if v.Reason == reasonPolicy || r.Method == http.MethodConnect && v.Reason != reasonMalformed {
		v.Status = http.StatusProxyAuthRequired
	}
	return v
}

// write answers as JSON where the client prefers it, else as text. A request
// whose answer is read by nobody but its client library gets the reason in a
// header too.
func (f refusal) write(w http.ResponseWriter, r *http.Request) {
	header := f.header
	if header == "" {
		header = "X-Moat-Blocked"
	}
	kind, body := "text/plain; charset=utf-8", f.text()
	if strings.Contains(r.Header.Get("Accept"), "json") {
		kind, body = "application/json", f.json()
	}
	h := w.Header()
	h.Set(header, f.verdict.Reason)
	h.Set("X-Moat-Request-Id", f.id)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff") // it repeats what the client sent
	h.Set("Cache-Control", "no-store")
	if f.verdict.Status == http.StatusProxyAuthRequired {
		h.Set("Proxy-Authenticate", f.scheme())
	}
	w.WriteHeader(f.verdict.Status)
	_, _ = w.Write(body) //nolint:gosec // never HTML; and where the client is gone there is nobody to tell
}

// scheme returns what a 407 asks for: a token, or nothing that a client has.
func (f refusal) scheme() string {
	if f.verdict.Reason == reasonToken {
		return `Basic realm="moat"`
	}
	return "Moat-Policy"
}

func (f refusal) text() []byte {
	text := fmt.Sprintf("moat: %s\n", f.verdict.Text)
	if f.verdict.Hint != "" {
		text += fmt.Sprintf("moat: hint: %s\n", f.verdict.Hint)
	}
	return fmt.Appendf([]byte(text), "moat: request %s\n", f.id)
}

func (f refusal) json() []byte {
	body, err := json.Marshal(struct {
		Error     string `json:"error"`
		Code      string `json:"code"`
		Hint      string `json:"hint,omitempty"`
		Rule      string `json:"rule,omitempty"`
		RequestID string `json:"request_id"`
	}{f.verdict.Text, f.verdict.Reason, f.verdict.Hint, f.verdict.Rule, f.id})
	if err != nil {
		return f.text() // not reached: strings always encode
	}
	return append(body, '\n')
}
