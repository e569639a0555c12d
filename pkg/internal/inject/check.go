package inject

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Check says which rule could not be applied to a request as it is meant.
func (r *Rules) Check() error {
	if r == nil {
		return nil
	}
	for _, name := range r.Remove {
		if !validName(name) {
			return fmt.Errorf("%q is no header name", name)
		}
	}
	for _, h := range slices.Concat(r.Extra, r.Credentials) {
		if err := checkHeader(h); err != nil {
			return err
		}
	}
	if err := r.checkStubs(); err != nil {
		return err
	}
	for _, s := range r.Substitute {
		if s.Placeholder == "" || s.Secret == "" {
			return errors.New("a substitution needs a placeholder and a secret")
		}
	}
	if err := r.checkParts(); err != nil {
		return err
	}
	return r.checkKinds()
}

// checkHeader says why h could not be set.
func checkHeader(h Header) error {
	if !validName(h.Name) {
		return fmt.Errorf("%q is no header name", h.Name)
	}
	if slices.Contains(framing, http.CanonicalHeaderKey(h.Name)) {
		return fmt.Errorf("header %s belongs to the connection and cannot be set", h.Name)
	}
	if strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return fmt.Errorf("the value of header %s contains a control character", h.Name)
	}
	return nil
}

// framing are the headers that net/http sets itself, whatever the rules say.
var framing = []string{
	"Connection", "Content-Length", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// validName reports whether s is a token of RFC 9110, section 5.6.2.
func validName(s string) bool {
	const symbols = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !letter && !strings.ContainsRune(symbols, c)
	})
}
