package providers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// lines remembers where something was said, so that it is not said twice.
type lines map[string]int

func (l lines) claim(v value, key, what string) {
	if line, taken := l[key]; taken {
		v.fail(what + " already, by line " + strconv.Itoa(line))
		return
	}
	l[key] = v.line
}

// hostAt is a canonical host and where it was written.
type hostAt struct {
	value
	name string
}

// hosts reads a list of at least one host.
func (v value) hosts() []hostAt {
	var all []hostAt
	elems := v.list()
	if len(elems) == 0 {
		v.fail("must be a list of hosts")
	}
	for _, e := range elems {
		h, err := hosts.Parse(e.text())
		if err != nil {
			e.fail(err.Error())
			continue
		}
		all = append(all, hostAt{e, h.String()})
	}
	return all
}

// ownedByHTTP are the headers that say how a message is carried; the proxy sets
// or removes them itself (RFC 9110, sections 7.2, 7.6.1, 8.6 and 10.1.1).
var ownedByHTTP = []string{
	"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
}

// headerName reads the name of a header, which is absent if it may be.
func (v value) headerName(absent string) string { return v.named(v.textOr(absent)) }

// named fails v for a name that no header of ours can have.
func (v value) named(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "" || strings.ContainsFunc(name, notToken):
		v.fail("must be the name of a header")
	case slices.Contains(ownedByHTTP, lower) || strings.HasPrefix(lower, "proxy-"):
		v.fail("belongs to HTTP itself and cannot be set")
	}
	return name
}

// oneLine reads one line of text that a header, a variable or a terminal can hold.
func (v value) oneLine() string {
	text := v.text()
	if strings.ContainsFunc(text, notHeaderText) {
		v.fail("must be one line of printable ASCII characters")
	}
	return text
}

// notToken is the complement of tchar (RFC 9110, section 5.6.2).
func notToken(r rune) bool { return notAlnum(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) }

func notPlaceholder(r rune) bool { return notAlnum(r) && !strings.ContainsRune("-._~:", r) }

func notVariable(r rune) bool { return notAlnum(r) && r != '_' }

func notAlnum(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}
