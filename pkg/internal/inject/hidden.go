package inject

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/moatd/moatd/pkg/internal/replace"
)

// Redacted stands where a secret was that has no placeholder.
const Redacted = "moat-redacted"

const (
	// shortest is the length in bytes of the shortest secret that is looked
	// for; a shorter one would be found everywhere.
	shortest = 4
	// window is how many bytes of a secret may be seen where an answer ends in
	// the middle of one, plus one.
	window = 8
)

// hidden are the texts that the answers of a host must not show, each with what
// it becomes.
type hidden struct{ pairs []replace.Pair }

// hidden returns what stands for the secrets of the rules: each as it is, as
// JSON, in a URL, in hex and in base64, there wherever it begins.
func (r *Rules) hidden() []replace.Pair {
	var h hidden
	for _, s := range r.Substitute {
		h.add(s.Secret, s.Placeholder)
	}
	for _, c := range r.Credentials {
		h.credential(c.Value)
	}
	for _, s := range r.Stubs {
		h.credential(s.Credential.Value)
	}
	return h.pairs
}

// credential adds the secret in the value of a header.
func (h *hidden) credential(value string) {
	scheme, secret, ok := strings.Cut(value, " ")
	if !ok {
		h.add(value, Redacted)
		return
	}
	secret = strings.TrimSpace(secret)
	if strings.EqualFold(scheme, "Basic") {
		if plain, err := base64.StdEncoding.DecodeString(secret); err == nil {
			h.basic(secret, string(plain))
			return
		}
	}
	h.add(secret, Redacted)
}

// basic adds the secret of Basic, its password. Without one the user is the
// secret: many services take their token there.
func (h *hidden) basic(encoded, plain string) {
	user, password, _ := strings.Cut(plain, ":")
	masked := user + ":" + Redacted
	if password == "" || strings.HasSuffix(password, "-oauth-basic") { // as GitHub has it
		password, masked = user, Redacted+":"+password
	}
	h.pairs = append(h.pairs, replace.Pair{Find: encoded, Put: base64.StdEncoding.EncodeToString([]byte(masked))})
	h.add(password, Redacted)
}

// add adds a secret in all of its forms.
func (h *hidden) add(secret, put string) {
	if len(secret) < shortest || secret == put {
		return
	}
	forms := []replace.Pair{
		{Find: secret, Put: put},
		{Find: jsonText(secret), Put: jsonText(put)},
		{Find: url.QueryEscape(secret), Put: url.QueryEscape(put)},
		{Find: url.PathEscape(secret), Put: url.PathEscape(put)},
		{Find: hex.EncodeToString([]byte(secret)), Put: hex.EncodeToString([]byte(put))},
		{Find: strings.ToUpper(hex.EncodeToString([]byte(secret))), Put: strings.ToUpper(hex.EncodeToString([]byte(put)))},
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			inner := inBase64(enc, secret, before)
			forms = append(forms, replace.Pair{Find: inner, Put: fit("moatredacted", len(inner))})
		}
	}
	h.pairs = append(h.pairs, forms...)
}

// inBase64 returns what of the encoding of a text depends on secret alone, where
// before is the number of bytes in front of it, modulo 3.
func inBase64(enc *base64.Encoding, secret string, before int) string {
	text := enc.EncodeToString([]byte("\x00\x00"[:before] + secret))
	first := []int{0, 2, 3}[before]        // of 6 bits, the first without a bit of what is before
	last := (before + len(secret)) * 8 / 6 // the first with a bit of what comes after, or the end
	return text[first:last]
}

// fit returns text repeated and cut to n bytes.
func fit(text string, n int) string {
	return strings.Repeat(text, n/len(text)+1)[:n]
}

// sameLength makes what is put in as long as what it replaces, for streams that
// have lengths in them.
func sameLength(pairs []replace.Pair) []replace.Pair {
	fitted := make([]replace.Pair, len(pairs))
	for i, p := range pairs {
		put := p.Put
		if pad := len(p.Find) - len(put); pad > 0 {
			put += strings.Repeat("*", pad)
		}
		fitted[i] = replace.Pair{Find: p.Find, Put: put[:len(p.Find)]}
	}
	return fitted
}
