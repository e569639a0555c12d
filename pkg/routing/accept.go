package routing

import (
	"math"
	"strconv"
	"strings"
)

// prefersHTML reports whether a client with this Accept header, RFC 9110 section
// 12.5.1, would rather have HTML than JSON. Where it has no preference, as curl
// has none, the answer is otherwise.
func prefersHTML(accept string, otherwise bool) bool {
	html, json := quality(accept, "text/html"), quality(accept, "application/json")
	if html == json {
		return otherwise
	}
	return html > json
}

// quality returns how much a client wants a media type, 0 to 1. The most
// specific range of the header counts.
func quality(accept, media string) float64 {
	kind, _, _ := strings.Cut(media, "/")
	best, q := 0, 0.0
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		specific := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case media:
			specific = 3
		case kind + "/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific > best {
			best, q = specific, weight(params)
		}
	}
	return q
}

// weight returns the q among the parameters of a range, 1 if there is none, and
// 0 for one that makes no sense.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, val, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(val), 64)
		if err != nil || q < 0 || q > 1 || math.IsNaN(q) {
			return 0
		}
		return q
	}
	return 1
}
