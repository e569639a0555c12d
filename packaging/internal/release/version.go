// Package release knows how a release is called, here and in packages, and what
// its change log says, here and there.
package release

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// described is what `git describe --tags --always --dirty` prints: a tag of
// Semantic Versioning with how many commits are on top of it, or a commit alone.
// It matches what [Version.String] makes of these, too.
var described = regexp.MustCompile(`^(?:v?(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.]+))?(?:-(\d+)-g([0-9a-f]{7,40})|\+(\d+\.g[0-9a-f]{7,40}))?|([0-9a-f]{7,40}))$`)

// A Version is one of Semantic Versioning, taken from git.
type Version struct {
	core string // "1.2.3"
	pre  string // "rc.1", "" for a release
	post string // "5.gabc1234": commits on top of the tag; "" for the tag itself
}

// ParseVersion reads what git describe prints. It is an error if the tree had
// changes that no commit has: nobody could build that version again.
func ParseVersion(describe string) (Version, error) {
	if strings.HasSuffix(describe, "-dirty") {
		return Version{}, fmt.Errorf("version %s: the tree has changes that are in no commit; commit them, or say VERSION=1.2.3", describe)
	}
	m := described.FindStringSubmatch(describe)
	if m == nil {
		return Version{}, fmt.Errorf("version %q: want 1.2.3, 1.2.3-rc.1, or what git describe makes of such a tag", describe)
	}
	v := Version{core: m[1], pre: m[2]}
	switch {
	case m[6] != "": // before the first tag
		v.core, v.post = "0.0.0", "0.g"+m[6]
	case m[5] != "":
		v.post = m[5]
	case m[3] != "":
		v.post = m[3] + ".g" + m[4]
	}
	if strings.Contains(v.pre, "..") || strings.HasPrefix(v.pre, ".") || strings.HasSuffix(v.pre, ".") {
		return Version{}, errors.New("version " + describe + ": a part between two dots is empty")
	}
	return v, nil
}

// tag returns the version that v comes after; v itself, if it is one with a tag.
func (v Version) tag() Version { return Version{core: v.core, pre: v.pre} }

// String is the version of Semantic Versioning, without a v.
func (v Version) String() string { return v.join("-") }

// Package is the version as dpkg and rpm compare it: a tilde sorts before the
// release that it leads to, a plus after the one that it follows.
func (v Version) Package() string { return v.join("~") }

func (v Version) join(before string) string {
	s := v.core
	if v.pre != "" {
		s += before + v.pre
	}
	if v.post != "" {
		s += "+" + v.post
	}
	return s
}
