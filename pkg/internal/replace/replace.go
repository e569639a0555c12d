// Package replace knows how to replace texts in a stream as it passes, in
// bounded memory, wherever the pieces of the stream begin and end.
//
// A [Replacer] finds all of its texts in one pass. Of several that stand at one
// place it takes the one that begins first, of those the longest. What it puts
// in is not searched again. The result does not depend on how the stream was
// cut into reads.
package replace

import (
	"bytes"
	"slices"
)

// A Pair is a text to find and the one to put in its place.
type Pair struct {
	Find string // a pair with an empty one is ignored
	Put  string
}

// A Replacer replaces texts. It is immutable and safe for concurrent use.
type Replacer struct {
	finder
	window int // of a scrubber, else 0
}

// New returns a replacer that works like [strings.Replacer], but prefers the
// longest text. Of pairs that find the same text, the first counts.
func New(pairs []Pair) *Replacer { return &Replacer{finder: newFinder(pairs)} }

// NewScrubber returns a replacer for texts that must not be seen. It differs
// from New in two ways. Occurrences that overlap are all replaced, so that no
// part of one is left. And where a stream ends in the middle of a text, the
// part that is there is replaced too, if it has window bytes or more and is not
// the beginning of what would be put in its place.
func NewScrubber(pairs []Pair, window int) *Replacer {
	return &Replacer{finder: newFinder(pairs), window: max(window, 1)}
}

// Empty reports whether there is nothing to find.
func (r *Replacer) Empty() bool { return len(r.needles) == 0 }

// KeepsLength reports whether what is put in has the length of what it replaces.
func (r *Replacer) KeepsLength() bool {
	return !slices.ContainsFunc(r.needles, func(n needle) bool { return len(n.find) != len(n.put) })
}

// Bytes returns a copy of b with the texts replaced, and b itself if none is
// there. The end of b counts as the end of the text: nothing is cut off there.
func (r *Replacer) Bytes(b []byte) []byte {
	m, ok := r.next(b, 0)
	if !ok {
		return b
	}
	out := bytes.NewBuffer(make([]byte, 0, len(b)))
	var done int // b[:done] is in out, or replaced there
	for ; ok; m, ok = r.next(b, r.resume(m)) {
		if m.end <= done {
			continue
		}
		out.Write(b[done:max(done, m.start)])
		out.WriteString(m.put)
		done = m.end
	}
	out.Write(b[done:])
	return out.Bytes()
}

// String is [Replacer.Bytes] for a string.
func (r *Replacer) String(s string) string {
	b := []byte(s)
	if _, ok := r.next(b, 0); !ok {
		return s
	}
	return string(r.Bytes(b))
}

// resume returns where the search goes on after m.
func (r *Replacer) resume(m match) int {
	if r.window > 0 {
		return m.start + 1
	}
	return m.end
}
