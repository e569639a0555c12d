package logging

import (
	"regexp"
	"strings"
)

// minHex is how many hexadecimal digits in a row are taken for a token.
const minHex = 64

// value is what may stand for a secret in a header, query or JSON text. It has
// no brackets, so that notMask sees when it is the inside of a mask.
const value = `([^\s"'\\,;&\[\]{}()]+)`

// A pattern finds secrets that nobody has told us. The first group of expr is
// the secret.
type pattern struct {
	// hint is a cheap test: where it says no, expr finds nothing.
	hint func(s string) bool
	expr *regexp.Regexp
	// secret says whether a match is one; nil means that it always is.
	secret func(match string) bool
}

// quotes are what may stand between a name, a colon and a value, in JSON and in
// JSON within JSON. A backslash belongs to a quote, so that no other escape of
// JSON is cut in two.
const quotes = `(?:\\*["'])*`

const schemes = `(?:bearer|basic|token|digest|negotiate)(?:\s|%20|\+)+`

var patterns = []pattern{
	{
		folded("authorization"), regexp.MustCompile(`(?i)authorization(?:[^a-z0-9]{1,8}` + schemes + `|` +
			quotes + `\s*[:=](?:\s|\[|\\*["'])*(?:` + schemes + `)?)\[?` + value), notMask,
	},
	{
		folded("bearer", "basic", "token"),
		regexp.MustCompile(`(?i)\b(?:bearer|basic|token)(?:\s|%20|\+)+([a-z0-9._~+/=-]{16,})`), hasDigit,
	},
	{
		containing("gh", "sk-ant-", "xox", "AKIA", "ASIA", "glpat-", "AIza", "ya29.", "eyJ"),
		regexp.MustCompile(`(gh[pousr]_[A-Za-z0-9]{4,}|github_pat_\w{4,}|sk-ant-[\w-]{4,}|xox[a-z]-[\w-]{4,}|A[KS]IA[0-9A-Z]{12,}|` +
			`glpat-[\w-]{4,}|AIza[\w-]{30,}|ya29\.[\w.-]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}[\w.-]*)`), nil,
	},
	{
		containing("sk-", "npm_"), // also within words, hence the digit; \n is an escape, and its n is no word
		regexp.MustCompile(`(?:^|[^A-Za-z0-9]|\\[nrt])(sk-[\w-]{12,}|npm_[A-Za-z0-9]{12,})`), hasDigit,
	},
	{containing("://"), regexp.MustCompile(`://[^\s"'/:@]*:([^\s"'/]+)@`), notMask},
	{containing("://"), regexp.MustCompile(`://([^\s"'/:@\[]{16,})@`), nil},
	{
		folded("passw", "secret", "key", "token"),
		regexp.MustCompile(`(?i)(?:passw(?:or)?d|secret|api[-_]?key|(?:access|refresh|id|auth|private)[-_]?token)` +
			`(?:` + quotes + `=` + quotes + `|\\*["']\s*:\s*\\*["'])` + value), notMask,
	},
	{
		folded("api-key", "private-token"),
		regexp.MustCompile(`(?i)(?:api-key|private-token)` + quotes + `\s*:(?:\s|\[|\\*["'])*` + value), notMask,
	},
	{byteList, regexp.MustCompile(`\[(\d{1,3}(?:,? \d{1,3}|,\d{1,3}){31,})\]`), nil},
}

// maskPatterns replaces what looks like a secret.
func maskPatterns(s string) string {
	s = hexRuns(s).mask(s)
	for _, p := range patterns {
		if p.hint(s) {
			s = p.find(s).mask(s)
		}
	}
	return s
}

func (p pattern) find(s string) spans {
	var found spans
	for _, m := range p.expr.FindAllStringSubmatchIndex(s, -1) {
		if start, end := m[2], m[3]; p.secret == nil || p.secret(s[start:end]) {
			found = found.with(start, end)
		}
	}
	return found
}

// hexRuns finds the runs of minHex or more hexadecimal digits. It looks at the
// end of each window first, so that most of a text is skipped.
func hexRuns(s string) spans {
	var found spans
	for start := 0; start+minHex <= len(s); {
		end := start + minHex
		i := end - 1
		for i >= start && isHex(s[i]) {
			i--
		}
		if i >= start {
			start = i + 1
			continue
		}
		for end < len(s) && isHex(s[end]) {
			end++
		}
		found = found.with(start, end)
		start = end
	}
	return found
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

func notMask(s string) bool { return !strings.Contains(Mask, s) }

// byteList reports whether s has a list that begins with a digit.
func byteList(s string) bool {
	i := strings.IndexByte(s, '[')
	for i >= 0 && i+1 < len(s) {
		if c := s[i+1]; '0' <= c && c <= '9' {
			return true
		}
		next := strings.IndexByte(s[i+1:], '[')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// containing returns a function that reports whether a text has one of words.
func containing(words ...string) func(string) bool {
	return func(s string) bool {
		for _, w := range words {
			if strings.Contains(s, w) {
				return true
			}
		}
		return false
	}
}

// folded is containing for words that are found in any case, themselves written
// in lower case. The first two characters are ASCII letters.
func folded(words ...string) func(string) bool {
	return func(s string) bool {
		for _, w := range words {
			if containsFold(s, w) {
				return true
			}
		}
		return false
	}
}

func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if s[i]|0x20 == word[0] && s[i+1]|0x20 == word[1] && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
