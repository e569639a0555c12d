package hosts

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The limits of RFC 1035, section 2.3.4, in bytes; of a name's 255, one counts
// the first label and one ends the name.
const (
	maxName  = 253
	maxLabel = 63
)

// unicodeNames maps names in other scripts to A-labels as the URL standard
// does: nontransitional, hyphens as they are. What it lets through is checked
// again below.
var unicodeNames = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true),
	idna.StrictDomainName(false), idna.CheckHyphens(false), idna.Transitional(false))

// canonical returns the one spelling of a name or an address without brackets.
func canonical(name string) (string, error) {
	if strings.Contains(name, ":") {
		return parseIPv6(name)
	}
	name, err := toASCII(name)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".")
	if err := checkName(name); err != nil {
		return "", err
	}
	if endsInNumber(name) {
		return parseIPv4(name)
	}
	return name, nil
}

// toASCII returns name in lower case and in A-labels. A name that is in ASCII
// already is what DNS is asked for; its A-labels are not looked into.
func toASCII(name string) (string, error) {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return mapName(name)
		}
	}
	return strings.ToLower(name), nil
}

// mapName returns a name in another script in A-labels.
func mapName(name string) (string, error) {
	if len(name) > utf8.UTFMax*maxName {
		return "", fmt.Errorf("a name of %d bytes", len(name))
	}
	if !utf8.ValidString(name) { // idna would make U+FFFD of it
		return "", errors.New("bytes that are neither ASCII nor UTF-8")
	}
	ascii, err := unicodeNames.ToASCII(name)
	if err != nil {
		return "", fmt.Errorf("not an international name: %w", err)
	}
	return ascii, nil
}

// checkName checks the limits of DNS and the letters of each label.
func checkName(name string) error {
	if name == "" {
		return errors.New("the name is empty")
	}
	if len(name) > maxName {
		return fmt.Errorf("a name of %d bytes, of which DNS has %d at most", len(name), maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	return nil
}

// checkLabel allows letters, digits, hyphens (not first, where crypto/x509 does
// not verify it and a command takes it for a flag) and underscores, which RFC
// 952 does not know but containers and service records use.
func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("a dot with no label before it")
	case len(label) > maxLabel:
		return fmt.Errorf("a label of %d bytes, of which DNS has %d at most", len(label), maxLabel)
	case label[0] == '-':
		return fmt.Errorf("label %q begins with a hyphen", label)
	}
	for _, r := range label {
		if !isNameRune(r) {
			return fmt.Errorf("%q cannot stand in a name", r)
		}
	}
	return nil
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}
