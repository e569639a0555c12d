package logging

import "strings"

// A span is a part of a text, from the byte start to the byte before end.
type span struct{ start, end int }

// spans are parts that do not touch one another, in order.
type spans []span

// with returns sp with another part, which starts not before the last of sp.
// Parts that overlap or touch become one.
func (sp spans) with(start, end int) spans {
	if n := len(sp); n > 0 && start <= sp[n-1].end {
		sp[n-1].end = max(sp[n-1].end, end)
		return sp
	}
	return append(sp, span{start, end})
}

// mask returns s with Mask in place of each part.
func (sp spans) mask(s string) string {
	if len(sp) == 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	from := 0
	for _, p := range sp {
		out.WriteString(s[from:p.start])
		out.WriteString(Mask)
		from = p.end
	}
	out.WriteString(s[from:])
	return out.String()
}
