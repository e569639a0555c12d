package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

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
		if name[i] < 0x80 {
			continue
		}
		if len(name) > 4*maxName { // more than UTF-8 needs for the longest name
			return "", fmt.Errorf("a name of %d bytes", len(name))
		}
		ascii, err := unicodeNames.ToASCII(name)
		if err != nil {
			return "", fmt.Errorf("not an international name: %v", err)
		}
		return ascii, nil
	}
	return strings.ToLower(name), nil
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

// endsInNumber reports whether name can only be an IPv4 address: its last label
// is digits or begins with 0x and is hexadecimal (URL standard, section 3.5).
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// parseIPv4 returns in dotted decimal what inet_aton(3) reads: one to four
// numbers, decimal, octal (0…) or hexadecimal (0x…), the last of which fills
// all bytes that are left.
func parseIPv4(s string) (string, error) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return "", errors.New("it ends in a number, and an IPv4 address has four at most")
	}
	var sum uint64
	for i, part := range parts {
		width := 8 // bits
		if i == len(parts)-1 {
			width = 8 * (5 - len(parts))
		}
		n, err := parseNumber(part)
		if err != nil || n>>width != 0 {
			return "", fmt.Errorf("it ends in a number, and %q cannot stand in an IPv4 address", part)
		}
		sum = sum<<width | n
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}).String(), nil
}

// parseNumber reads one number of an IPv4 address; "0x" alone is 0.
func parseNumber(s string) (uint64, error) {
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		return strconv.ParseUint("0"+hex, 16, 64)
	}
	if len(s) > 1 && s[0] == '0' {
		return strconv.ParseUint(s, 8, 64)
	}
	return strconv.ParseUint(s, 10, 64)
}
