package hosts

import (
	"errors"
	"strconv"
	"strings"
)

// ParsePrefix returns the canonical form of a prefix of paths: it begins with a
// slash, ends without one, and names at least one segment. It stands for itself
// and for what is below it, in whatever case.
func ParsePrefix(text string) (string, error) {
	if !strings.HasPrefix(text, "/") {
		return "", errors.New("must begin with a slash")
	}
	prefix, err := CanonicalPath(text)
	if err != nil {
		return "", err
	}
	if prefix == "" {
		return "", errors.New("must name more than the root")
	}
	return prefix, nil
}

// Below reports whether a canonical path is prefix, which is canonical too, or
// below it; "" is the prefix of all.
func Below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// Errors of paths that an upstream may read otherwise than we do.
var (
	errDots     = errors.New("the path has dot segments")
	errEmpty    = errors.New("the path has an empty segment")
	errEscapes  = errors.New("the path is escaped twice, or not well")
	errSigns    = errors.New("the path has backslashes or control characters")
	errRelative = errors.New("the path does not begin with a slash")
)

// CanonicalPath returns an escaped path of a URL as it is compared: unescaped, so
// that %2F is a slash, in lower case, without parameters (;x) and without a slash
// at its end. "" stands for the root, and for the * of OPTIONS. The error says why
// another program may read the path otherwise.
func CanonicalPath(escaped string) (string, error) {
	var b strings.Builder
	b.Grow(len(escaped))
	for rest := escaped; rest != ""; {
		c, n := rest[0], 1
		if c == '%' {
			code, err := strconv.ParseUint(rest[1:min(3, len(rest))], 16, 8)
			if err != nil || len(rest) < 3 {
				return "", errEscapes
			}
			c, n = byte(code), 3
		}
		if c < ' ' || c == 0x7f || c == '\\' {
			return "", errSigns
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
		rest = rest[n:]
	}
	plain := b.String()
	switch {
	case plain == "" || plain == "*":
		return "", nil
	case plain[0] != '/':
		return "", errRelative
	case twiceEscaped(plain):
		return "", errEscapes
	}
	return withoutParameters(plain)
}

// withoutParameters joins the segments of an unescaped path again, each without
// its parameters.
func withoutParameters(plain string) (string, error) {
	if plain == "/" {
		return "", nil
	}
	trimmed := strings.TrimSuffix(plain[1:], "/")
	var b strings.Builder
	b.Grow(len(plain) + 1)
	for segment := range strings.SplitSeq(trimmed, "/") {
		name, _, _ := strings.Cut(segment, ";")
		switch name {
		case "":
			return "", errEmpty
		case ".", "..":
			return "", errDots
		}
		b.WriteByte('/')
		b.WriteString(name)
	}
	return b.String(), nil
}

// isEscape reports whether text, which begins with a percent sign, begins with an
// escaped letter.
func isEscape(text string) bool { return len(text) >= 3 && isHex(text[1]) && isHex(text[2]) }

// twiceEscaped reports whether unescaped text still has escaped letters.
func twiceEscaped(plain string) bool {
	for rest := plain; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return false
		}
		if rest = rest[i:]; isEscape(rest) {
			return true
		}
		rest = rest[1:]
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
