// Package version says how two builds of one program stand to each other.
package version

import (
	"cmp"
	"strconv"
	"strings"
)

// A Version says which build of a program it is.
type Version struct {
	Text   string // "v1.2.3", what git describe says, "devel"; "" if it is not known
	Commit string // that it was built from; "" if it is not known
}

// String is the version, with the beginning of the commit where the version
// alone says little.
func (v Version) String() string {
	text := cmp.Or(v.Text, "an unknown version")
	if _, ok := parse(v.Text); ok || v.Commit == "" || strings.Contains(text, short(v.Commit)) {
		return text
	}
	return text + " (" + short(v.Commit) + ")"
}

// short is how much of a commit people read.
func short(commit string) string { return commit[:min(len(commit), 7)] }

// An Order is how one version stands to another.
type Order string

// The values of [Order].
const (
	Same      Order = "same" // as far as can be known
	Older     Order = "older"
	Newer     Order = "newer"
	Different Order = "different" // and it is not known which is newer
)

// Compare says how a stands to b. Versions that name a point in a history, such
// as v1.2.3 and v1.2.3-4-gabcdef0, are ordered; all others are told apart by
// their commits, or else by their text. A build of which nothing is known is
// taken for the same.
func Compare(a, b Version) Order {
	if a == b || a == (Version{}) || b == (Version{}) {
		return Same
	}
	x, okA := parse(a.Text)
	y, okB := parse(b.Text)
	if okA && okB {
		if c := x.compare(y); c != 0 {
			return map[int]Order{-1: Older, 1: Newer}[c]
		}
	}
	switch {
	case a.Commit != "" && b.Commit != "":
		if sameCommit(a.Commit, b.Commit) {
			return Same
		}
		return Different
	case okA && okB, a.Text == b.Text, a.Text == "", b.Text == "":
		return Same
	}
	return Different
}

// sameCommit compares commits of which one may be shortened.
func sameCommit(a, b string) bool {
	return len(a) >= 7 && len(b) >= 7 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// A point is a version that can be ordered.
type point struct {
	number [3]int
	pre    string // "rc.1"; "" for a release, which is newer than its candidates
	ahead  int    // commits after the tag, as git describe counts them
}

// parse reads v1.2.3, v1.2.3-rc.1 and v1.2.3-4-gabcdef0, each with or
// without the v, "-dirty" and +metadata. A pseudo-version of the go command is
// none: it says less than the commit.
func parse(text string) (v point, ok bool) {
	text, _, _ = strings.Cut(text, "+")
	text = strings.TrimSuffix(strings.TrimPrefix(text, "v"), "-dirty")
	text, v.ahead = cutAhead(text)
	text, v.pre, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) != len(v.number) || isPseudo(v.pre) {
		return point{}, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return point{}, false
		}
		v.number[i] = int(n)
	}
	return v, true
}

// cutAhead takes -N-gHASH off the end of a version.
func cutAhead(text string) (string, int) {
	i := strings.LastIndex(text, "-g")
	if i < 0 {
		return text, 0
	}
	j := strings.LastIndexByte(text[:i], '-')
	n, err := strconv.ParseUint(text[j+1:i], 10, 31)
	if j < 0 || err != nil {
		return text, 0
	}
	return text[:j], int(n)
}

// isPseudo reports whether a pre-release ends as those of pseudo-versions do, in
// a time of 14 digits and a commit of 12.
func isPseudo(pre string) bool {
	i := strings.LastIndexByte(pre, '-')
	if i < 14 || len(pre)-i-1 != 12 {
		return false
	}
	return strings.Trim(pre[i-14:i], "0123456789") == ""
}

func (v point) compare(w point) int {
	for i := range v.number {
		if c := cmp.Compare(v.number[i], w.number[i]); c != 0 {
			return c
		}
	}
	if c := comparePre(v.pre, w.pre); c != 0 {
		return c
	}
	return cmp.Compare(v.ahead, w.ahead)
}

// comparePre orders pre-releases as Semantic Versioning does.
func comparePre(a, b string) int {
	if a == "" || b == "" { // a release is newer than its candidates
		return cmp.Compare(min(len(b), 1), min(len(a), 1))
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if c := compareField(x[i], y[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// compareField orders numbers as numbers, and before words.
func compareField(a, b string) int {
	m, errA := strconv.ParseUint(a, 10, 63)
	n, errB := strconv.ParseUint(b, 10, 63)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(m, n)
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return cmp.Compare(a, b)
}
