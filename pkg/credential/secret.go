package credential

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// hidden is what a secret or a key prints as, whatever the verb.
const hidden = "[secret]"

// Secret is what must not be seen: a token, an API key. It does not print, in
// no verb of fmt and no encoding; only [Secret.Reveal] and an explicit
// conversion give the text.
//
// Keep it in exported fields or plain variables: fmt calls no method of an
// unexported field, so there the text would print. The same goes for the verb
// %w, which go vet refuses. Compare it with [Secret.Equal] and never with ==,
// save with "".
type Secret string

// Reveal returns the text. Each call is a place to look at in a review.
func (s Secret) Reveal() string { return string(s) }

// Equal reports whether s is t, in time that depends on their lengths only.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(t)) == 1
}

// String returns "[secret]".
func (Secret) String() string { return hidden }

// GoString returns "[secret]".
func (Secret) GoString() string { return hidden }

// Format writes "[secret]" for every verb but %T, %p and %w.
func (Secret) Format(w fmt.State, _ rune) { printHidden(w) }

// MarshalText returns "[secret]"; encoding/json and yaml use it as well. So a
// struct that is encoded by mistake loses the secret and does not leak it.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

func printHidden(w io.Writer) {
	_, _ = io.WriteString(w, hidden) // a Formatter has nobody to give an error to
}
