package replace

import (
	"bytes"
	"encoding/binary"
)

// A needle is a text to find; it is not empty.
type needle struct {
	find []byte
	put  string
}

// A match is where a needle stands in a text.
type match struct {
	start, end int
	put        string
}

// A finder finds the needles in one pass that looks at few places of the text.
//
// Let m be the length of the shortest needle, and q that of a gram: 4 bytes, or
// m if that is less. Wherever a needle stands, one of its first m-q+1 grams is
// at a place that is a multiple of m-q+1; so it suffices to look at those
// places, and there at a table of the grams, where most places have no entry.
// Strides are at most 16: longer ones gain little, and fill the table.
type finder struct {
	needles []needle
	longest int // bytes of the longest needle
	gram    int // q
	stride  int // m-q+1, or 16
	entries []entry
	first   *[tableSize]int32 // by hash, the index in entries plus 1; 0 for none
}

// An entry says where a gram stands.
type entry struct {
	needle, offset int32
	next           int32 // of the same hash, as in first
}

const (
	gramSize  = 4
	maxStride = 16
	tableLog  = 11
	tableSize = 1 << tableLog // of 8 KiB
)

func newFinder(pairs []Pair) finder {
	var f finder
	seen := make(map[string]bool, len(pairs))
	shortest := 0
	for _, p := range pairs {
		if p.Find == "" || seen[p.Find] {
			continue
		}
		seen[p.Find] = true
		f.needles = append(f.needles, needle{[]byte(p.Find), p.Put})
		f.longest = max(f.longest, len(p.Find))
		if shortest == 0 || len(p.Find) < shortest {
			shortest = len(p.Find)
		}
	}
	if len(f.needles) > 0 {
		f.gram = min(gramSize, shortest)
		f.stride = min(shortest-f.gram+1, maxStride)
		f.index()
	}
	return f
}

// index fills the table.
func (f *finder) index() {
	f.first = new([tableSize]int32)
	f.entries = make([]entry, 0, len(f.needles)*f.stride)
	for i, n := range f.needles {
		for offset := range f.stride {
			g := f.gramAt(n.find, offset)
			first := &f.first[hash(g)]
			f.entries = append(f.entries, entry{int32(i), int32(offset), *first})
			*first = int32(len(f.entries)) //nolint:gosec // there are few needles
		}
	}
}

// gramAt returns the gram at offset i of b.
func (f *finder) gramAt(b []byte, i int) uint32 {
	if f.gram == gramSize {
		return binary.LittleEndian.Uint32(b[i:])
	}
	var g uint32
	for _, c := range b[i : i+f.gram] {
		g = g<<8 | uint32(c)
	}
	return g
}

// hash multiplies with the golden ratio, as Knuth has it.
func hash(gram uint32) uint32 { return gram * 0x9E3779B1 >> (32 - tableLog) }

// next returns the first match in b that starts at from or later, of those that
// start there the longest.
func (f *finder) next(b []byte, from int) (match, bool) {
	if f.first == nil {
		return match{}, false
	}
	// The gram at i is in the matches that start in (i-stride, i].
	for i := from + f.stride - 1; i+f.gram <= len(b); i += f.stride {
		g := f.gramAt(b, i)
		if first := f.first[hash(g)]; first != 0 {
			if m, ok := f.around(b, i, first); ok {
				return m, true
			}
		}
	}
	return match{}, false
}

// around returns the first match in b that has the gram at i among its own,
// where at is the first entry of its hash.
func (f *finder) around(b []byte, i int, at int32) (first match, ok bool) {
	for ; at != 0; at = f.entries[at-1].next {
		e := f.entries[at-1]
		n, start := f.needles[e.needle], i-int(e.offset)
		if b[i] != n.find[e.offset] || !bytes.HasPrefix(b[start:], n.find) {
			continue
		}
		end := start + len(n.find)
		if !ok || start < first.start || start == first.start && end > first.end {
			first, ok = match{start, end, n.put}, true
		}
	}
	return first, ok
}

// begun returns where in b, at from or later, a needle begins that b ends in the
// middle of: the first such place, or len(b).
func (f *finder) begun(b []byte, from int) int {
	first := len(b)
	for _, n := range f.needles {
		if at := n.begun(b, from); at < first {
			first = at
		}
	}
	return first
}

func (n needle) begun(b []byte, from int) int {
	for at := max(from, len(b)-len(n.find)+1); at < len(b); at++ {
		skip := bytes.IndexByte(b[at:], n.find[0])
		if skip < 0 {
			break
		}
		if at += skip; bytes.HasPrefix(n.find, b[at:]) {
			return at
		}
	}
	return len(b)
}

// cut returns what of a needle b ends in the middle of, as far as it has window
// bytes or more, and what to put in its place.
func (f *finder) cut(b []byte, window int) (tail match, ok bool) {
	for _, n := range f.needles {
		start := n.begun(b, 0)
		if len(b)-start < window || bytes.HasPrefix([]byte(n.put), b[start:]) {
			continue
		}
		if !ok || start < tail.start {
			tail, ok = match{start, len(b), n.put}, true
		}
	}
	return tail, ok
}
