package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

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
