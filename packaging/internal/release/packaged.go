package release

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Revision is that of our packages, which are made anew for each version.
const Revision = "1"

// Packaged returns log as a package of version v tells it: with the versions of
// packages, and the newest part being that of v, released or not, in which case
// built is its date, the time of v's commit. It is an error if log says nothing
// of v, and v is no commit after a version of which it does.
func Packaged(log []Changes, v Version, built time.Time) ([]Changes, error) {
	var all []Changes
	for _, c := range log {
		if c.Version == unreleased && len(c.Notes) == 0 {
			continue
		}
		if c.Version == unreleased {
			all = append(all, packaged(v, built, c.Notes))
			continue
		}
		told, err := ParseVersion(c.Version)
		if err != nil {
			return nil, fmt.Errorf("change log: %w", err)
		}
		if len(all) == 0 && told != v {
			if told != v.tag() {
				return nil, fmt.Errorf("change log: its newest version is %s, and this is %s", c.Version, v)
			}
			all = append(all, packaged(v, built, []string{"What was committed since " + c.Version + "."}))
		}
		all = append(all, packaged(told, c.Date, c.Notes))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("change log: nothing about %s", v)
	}
	return all, nil
}

func packaged(v Version, date time.Time, notes []string) Changes {
	return Changes{Version: v.Package() + "-" + Revision, Date: date.UTC(), Notes: plain(notes)}
}

// plain takes Markdown's marks away.
func plain(notes []string) []string {
	marks := strings.NewReplacer("`", "", "**", "")
	var all []string
	for _, n := range notes {
		all = append(all, marks.Replace(n))
	}
	return all
}

// Debian writes log as deb-changelog(5) wants it. maintainer is "Name <mail>".
func Debian(log []Changes, name, maintainer string) string {
	var b strings.Builder
	for i, c := range log {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s (%s) unstable; urgency=medium\n\n", name, c.Version)
		for _, n := range c.Notes {
			fmt.Fprintf(&b, "  * %s\n", strings.Join(wrapped(n, 76), "\n    "))
		}
		fmt.Fprintf(&b, "\n -- %s  %s\n", maintainer, c.Date.Format(time.RFC1123Z))
	}
	return b.String()
}

// wrapped breaks text into lines of at most width characters, if its words are
// that short.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// rpmChanges is an entry of the file from which nfpm makes %changelog.
type rpmChanges struct {
	Semver   string    `yaml:"semver"`
	Date     time.Time `yaml:"date"`
	Packager string    `yaml:"packager"`
	Changes  []rpmNote `yaml:"changes"`
}

type rpmNote struct {
	Note string `yaml:"note"`
}

// RPM writes log as nfpm reads it for %changelog.
func RPM(log []Changes, maintainer string) ([]byte, error) {
	var all []rpmChanges
	for _, c := range log {
		entry := rpmChanges{Semver: c.Version, Date: c.Date, Packager: maintainer}
		for _, n := range c.Notes {
			entry.Changes = append(entry.Changes, rpmNote{strings.Join(wrapped(n, 76), "\n  ")})
		}
		all = append(all, entry)
	}
	return yaml.Marshal(all)
}
