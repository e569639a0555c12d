package inject

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A Part is what is done to the requests for the paths of a host below a prefix,
// in place of what is done to the others.
type Part struct {
	Rules *Rules // without parts of their own; not nil
	// Missing is the credential that these requests must have and that is not to
	// be had now; the zero value means that there is none.
	Missing Missing
}

// Missing is a grant that has no credential now.
type Missing struct{ Grant, Reason string }

// At returns the part of a host that a path is in, which is the one with the
// longest prefix, and false if it is in none: what is done then is what r says
// itself. The path is escaped as it is in a URL. The error says why a path could
// mean one thing here and another to the upstream; rules without parts have none.
func (r *Rules) At(escaped string) (Part, bool, error) {
	if r == nil || len(r.Parts) == 0 {
		return Part{}, false, nil
	}
	path, err := hosts.CanonicalPath(escaped)
	if err != nil {
		return Part{}, false, err
	}
	for path != "" {
		if p, ok := r.Parts[path]; ok {
			return p, true, nil
		}
		path = path[:strings.LastIndexByte(path, '/')]
	}
	return Part{}, false, nil
}

// Parted reports whether other rules count for parts of the host.
func (r *Rules) Parted() bool { return r != nil && len(r.Parts) > 0 }

// PartGrants returns the names of the grants that the parts of a host are of,
// sorted, each once.
func (r *Rules) PartGrants() []string {
	names := make(map[string]bool)
	for _, p := range r.Parts {
		for _, grant := range append(p.Rules.Grants(), p.Missing.Grant) {
			if grant != "" {
				names[grant] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkParts says which part could not be used as it is meant.
func (r *Rules) checkParts() error {
	for prefix, p := range r.Parts {
		if canonical, err := hosts.ParsePrefix(prefix); err != nil || canonical != prefix {
			return fmt.Errorf("%q is no canonical prefix of paths", prefix)
		}
		if p.Rules == nil || len(p.Rules.Parts) > 0 {
			return fmt.Errorf("the part %s needs rules of its own, and no further parts", prefix)
		}
		if err := p.Rules.Check(); err != nil {
			return fmt.Errorf("below %s: %w", prefix, err)
		}
	}
	return nil
}
