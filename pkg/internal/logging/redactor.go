package logging

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
)

// Mask stands in place of a secret.
const Mask = "[redacted]"

const (
	minSecret  = 8  // bytes; also the length of the keys in needles
	filterBits = 18 // 32 KiB, which fits the first-level cache
)

// Redactor replaces secrets by [Mask]: those it was told, in any of the forms
// that [Redactor.Add] lists, and what looks like one:
//
//   - runs of 64 and more hexadecimal digits, as our tokens are (a SHA-256 sum
//     looks the same, and is replaced too);
//   - what follows "authorization", and the tokens after Bearer, Basic and token;
//   - tokens of GitHub, GitLab, Anthropic, OpenAI, Slack, AWS, Google and npm, by
//     their prefixes, and JSON web tokens;
//   - passwords in URLs, and in assignments such as "client_secret=…";
//   - long lists of byte values.
//
// It is safe for concurrent use. Use [NewRedactor].
type Redactor struct {
	mu sync.RWMutex // guards what follows
	// needles are what to look for, by their first eight bytes, long ones first.
	needles map[uint64][]string
	// filter has the bit of the hash of each key of needles, so that most places
	// in a text cost no look into the map.
	filter [1 << filterBits / 64]uint64
}

// NewRedactor returns a Redactor that knows the patterns and no secret.
func NewRedactor() *Redactor { return &Redactor{needles: make(map[uint64][]string)} }

// Add makes r replace secret, from now on and for good, wherever it stands as it
// is, escaped as in JSON, Go, a query or a path, in hexadecimal, as a list of
// byte values, and in base64, with either alphabet and also as a part of a longer
// text that was encoded. White space around the secret does not count. Of a secret
// of several lines, such as a PEM key, each line of 16 bytes or more is a secret
// too.
//
// A secret shorter than eight bytes is ignored, for replacing "dev" or "1234"
// everywhere would make the log unreadable; patterns may still find it.
// A secret costs some kilobytes of memory.
func (r *Redactor) Add(secret string) {
	var all []string
	for _, part := range parts(secret) {
		all = append(all, forms(part)...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, needle := range all {
		r.add(needle)
	}
}

func (r *Redactor) add(needle string) {
	if len(needle) < minSecret || strings.Contains(Mask, needle) {
		return
	}
	key := firstKey(needle)
	i, found := slices.BinarySearchFunc(r.needles[key], needle, longFirst)
	if found {
		return
	}
	r.needles[key] = slices.Insert(r.needles[key], i, needle)
	word, bit := place(key)
	r.filter[word] |= bit
}

func longFirst(a, b string) int {
	return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
}

// Redact returns s with [Mask] in place of every secret.
func (r *Redactor) Redact(s string) string { return maskPatterns(r.maskKnown(s)) }

// maskKnown replaces the needles. Where needles overlap, it replaces them all.
func (r *Redactor) maskKnown(s string) string {
	if len(s) < minSecret {
		return s
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.needles) == 0 {
		return s
	}
	var found spans
	key := firstKey(s)
	for i := 0; ; i++ {
		if n := r.match(s[i:], key); n > 0 {
			found = found.with(i, i+n)
		}
		next := i + minSecret
		if next >= len(s) {
			return found.mask(s)
		}
		key = key>>8 | uint64(s[next])<<56
	}
}

// match returns the length of the longest needle that s starts with, or 0. key
// is the key of s.
func (r *Redactor) match(s string, key uint64) int {
	if word, bit := place(key); r.filter[word]&bit == 0 {
		return 0
	}
	for _, needle := range r.needles[key] {
		if strings.HasPrefix(s, needle) {
			return len(needle)
		}
	}
	return 0
}

// firstKey returns the first eight bytes of s as a number.
func firstKey(s string) uint64 { return binary.LittleEndian.Uint64([]byte(s[:minSecret])) }

// place returns where the filter has the bit for key: Fibonacci hashing.
func place(key uint64) (word int, bit uint64) {
	h := key * 0x9E3779B97F4A7C15 >> (64 - filterBits)
	return int(h >> 6), 1 << (h & 63)
}
