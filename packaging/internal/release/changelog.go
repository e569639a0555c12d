package release

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// heading begins the part of one version in CHANGELOG.md.
var heading = regexp.MustCompile(`^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$`)

// unreleased is what the part above the newest release is called.
const unreleased = "Unreleased"

// Changes are those of one version.
type Changes struct {
	Version string    // "1.2.3", or "Unreleased"
	Date    time.Time // of the release; zero for Unreleased
	Notes   []string  // a paragraph each, in Markdown
}

// ParseChangelog reads a change log of the form of Keep a Changelog, newest
// first. A version without a date, or without a change, is an error.
func ParseChangelog(text string) ([]Changes, error) {
	var all []Changes
	for number, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "## ") {
			c, err := parseHeading(line)
			if err != nil {
				return nil, fmt.Errorf("change log, line %d: %w", number+1, err)
			}
			all = append(all, c)
			continue
		}
		if len(all) == 0 {
			continue // what stands above the first version
		}
		current := &all[len(all)-1]
		if note, ok := strings.CutPrefix(line, "- "); ok {
			current.Notes = append(current.Notes, note)
		} else if more := strings.TrimSpace(line); strings.HasPrefix(line, "  ") && more != "" && len(current.Notes) > 0 {
			current.Notes[len(current.Notes)-1] += " " + more
		}
	}
	for _, c := range all {
		if len(c.Notes) == 0 && !c.Date.IsZero() {
			return nil, fmt.Errorf("change log: version %s has no changes", c.Version)
		}
	}
	return all, nil
}

func parseHeading(line string) (Changes, error) {
	m := heading.FindStringSubmatch(line)
	if m == nil {
		return Changes{}, fmt.Errorf("%q: want ## [1.2.3] - 2026-12-31, or ## [Unreleased]", line)
	}
	c := Changes{Version: m[1]}
	if c.Version == unreleased {
		return c, nil
	}
	date, err := time.Parse(time.DateOnly, m[2])
	if err != nil {
		return Changes{}, fmt.Errorf("version %s: want its date, as 2026-12-31", c.Version)
	}
	c.Date = date
	return c, nil
}
