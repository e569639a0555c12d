package credential

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Limits of a grant's name, in bytes. The last one makes every name a file's
// name: 255, NAME_MAX of Linux and macOS, less the extension.
const (
	maxProvider = 64
	maxScope    = 128
	maxEscaped  = 255 - len(sealedExt)
)

// reserved are the names that no provider may have, as moat grant has commands
// that are called so.
var reserved = []string{"export", "help", "import", "list", "ls", "providers", "show"}

// ParseGrant takes a grant's name apart: "provider" or "provider:scope", as in
// "github", "github:org/repo" and "mcp:linear". The provider is 1 to 64 of a-z,
// 0-9 and "-"; the scope 1 to 128 printable ASCII characters without a space,
// case counting. A name with so many capitals and signs that it would not fit
// into a file's name is refused too, and so is one that is a command of moat grant.
func ParseGrant(name string) (provider, scope string, err error) {
	provider, scope, scoped := strings.Cut(name, ":")
	switch {
	case provider == "" || len(provider) > maxProvider || strings.ContainsFunc(provider, notProvider):
		err = fmt.Errorf("grant %q: the part before a colon must be 1 to %d of a-z, 0-9 and -", name, maxProvider)
	case slices.Contains(reserved, name):
		err = fmt.Errorf("grant %q: that is a command of moat grant", name)
	case scoped && (scope == "" || len(scope) > maxScope || strings.ContainsFunc(scope, notScope)):
		err = fmt.Errorf("grant %q: the part after the colon must be 1 to %d printable ASCII characters without spaces",
			name, maxScope)
	case len(escape(name)) > maxEscaped:
		err = fmt.Errorf("grant %q: too long with this many capitals and signs", name)
	}
	if err != nil {
		return "", "", err
	}
	return provider, scope, nil
}

func notProvider(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }

func notScope(r rune) bool { return r <= ' ' || r > '~' }

// escape turns a grant's name into one that no file system mistakes: other
// bytes than a-z, 0-9, "-", "." and "_" become %xx. Capitals do as well, as
// macOS would take A.sealed for a.sealed.
func escape(grant string) string {
	var b strings.Builder
	for i := range len(grant) {
		if c := grant[i]; notProvider(rune(c)) && c != '.' && c != '_' {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape. It reports false for what escape would not have
// made, so that no two files stand for one grant.
func unescape(name string) (grant string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	_, _, err := ParseGrant(b.String())
	return b.String(), err == nil && escape(b.String()) == name
}
