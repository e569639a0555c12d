package logging

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const minLine = 16 // bytes of a line that is a secret of its own

// parts returns the texts that are secret because secret is.
func parts(secret string) []string {
	secret = strings.TrimSpace(secret)
	if len(secret) < minSecret {
		return nil
	}
	out := []string{secret}
	if !strings.Contains(secret, "\n") {
		return out
	}
	for line := range strings.Lines(secret) {
		line = strings.TrimSpace(line)
		if len(line) >= minLine && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return out
}

// forms returns the ways in which secret may be written. Some may be equal.
func forms(secret string) []string {
	b := []byte(secret)
	lower := hex.EncodeToString(b)
	decimal := strings.Trim(fmt.Sprintf("%d", b), "[]")
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	out := []string{
		secret,
		jsonEscape(secret), unquote(strconv.Quote(secret)), unquote(strconv.QuoteToASCII(secret)),
		query, path, lowerEscapes(query), lowerEscapes(path),
		lower, strings.ToUpper(lower), fmt.Sprintf("% x", b), fmt.Sprintf("% X", b),
		decimal, strings.ReplaceAll(decimal, " ", ","), strings.ReplaceAll(decimal, " ", ", "),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
	}
	if plain := jsonPlain(secret); plain != "" {
		out = append(out, plain)
	}
	for offset := range 3 {
		out = append(out, stable(base64.RawStdEncoding, b, offset), stable(base64.RawURLEncoding, b, offset))
	}
	return out
}

// stable returns the characters of a base64 encoding that depend on secret
// alone when it starts offset bytes after a multiple of three: the first
// characters have bits of what is before it, the last perhaps of what is after.
func stable(enc *base64.Encoding, secret []byte, offset int) string {
	padded := append(make([]byte, offset), secret...)
	skip := [3]int{0, 2, 3}[offset] // the characters that 0, 8 and 16 bits reach into
	return enc.EncodeToString(padded)[skip : len(padded)*8/6]
}

// jsonEscape escapes s as json.Marshal does, with \u003c for "<".
func jsonEscape(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return s // cannot be: every string has a JSON form
	}
	return unquote(string(b))
}

// jsonPlain escapes s as encoders do that leave "<", ">" and "&" alone.
func jsonPlain(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "" // cannot be, as above
	}
	return unquote(strings.TrimSuffix(b.String(), "\n"))
}

func unquote(s string) string { return s[1 : len(s)-1] }

var escape = regexp.MustCompile(`%[0-9A-F]{2}`)

// lowerEscapes writes %2F as %2f.
func lowerEscapes(s string) string { return escape.ReplaceAllStringFunc(s, strings.ToLower) }
