package oauth

import (
	"slices"
	"strings"
)

// A Challenge is one of those that a server answers 401 with: its scheme in lower
// case, and its parameters by their names in lower case.
type Challenge struct {
	Scheme string
	Params map[string]string
}

// maxChallenge is how much of a header is read, in bytes.
const maxChallenge = 16 << 10

// ParseChallenges reads the values of WWW-Authenticate (RFC 9110, 11.6.1), each of
// which may hold several challenges. What it does not understand it leaves out: a
// challenge of a scheme of its own must not hide the one for Bearer.
func ParseChallenges(values []string) []Challenge {
	var all []Challenge
	for _, v := range values {
		if len(v) > maxChallenge {
			continue
		}
		s := scanner{rest: v}
		for s.rest != "" {
			all = s.next(all)
		}
	}
	return all
}

// bearer returns the parameters of the challenge for Bearer that says the most.
func bearer(all []Challenge) map[string]string {
	all = slices.DeleteFunc(slices.Clone(all), func(c Challenge) bool { return c.Scheme != "bearer" })
	if i := slices.IndexFunc(all, func(c Challenge) bool { return c.Params["resource_metadata"] != "" }); i >= 0 {
		return all[i].Params
	}
	if len(all) > 0 {
		return all[0].Params
	}
	return nil
}

// scanner reads a list of challenges. Each step takes at least one byte.
type scanner struct{ rest string }

// next adds what comes next to all: a challenge that begins, or a parameter of the
// last one.
func (s *scanner) next(all []Challenge) []Challenge {
	s.rest = strings.TrimLeft(s.rest, " \t,")
	if s.rest == "" {
		return all
	}
	name := s.token()
	if name == "" {
		s.skip()
		return all
	}
	after := strings.TrimLeft(s.rest, " \t")
	value, is := strings.CutPrefix(after, "=")
	value = strings.TrimLeft(value, " \t")
	switch {
	case !is:
		return append(all, Challenge{strings.ToLower(name), map[string]string{}})
	case value == "" || value[0] == '=' || value[0] == ',': // a token68, which no scheme of ours has
		s.skip()
		return all
	}
	s.rest = value
	text := s.value()
	if len(all) == 0 {
		return all
	}
	params := all[len(all)-1].Params
	if _, twice := params[strings.ToLower(name)]; !twice {
		params[strings.ToLower(name)] = text
	}
	return all
}

// skip drops all until the next comma, and one byte at least.
func (s *scanner) skip() {
	if i := strings.IndexByte(s.rest, ','); i >= 0 {
		s.rest = s.rest[i+1:]
		return
	}
	s.rest = ""
}

// token takes a token, "" if there is none.
func (s *scanner) token() string {
	i := strings.IndexFunc(s.rest, func(c rune) bool { return !tokenChar(c) })
	if i < 0 {
		i = len(s.rest)
	}
	t := s.rest[:i]
	s.rest = s.rest[i:]
	return t
}

func tokenChar(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// value takes a token, a quoted string, or, as some servers send it, what reaches
// to the next comma or space.
func (s *scanner) value() string {
	if !strings.HasPrefix(s.rest, `"`) {
		i := strings.IndexAny(s.rest, ", \t")
		if i < 0 {
			i = len(s.rest)
		}
		v := s.rest[:i]
		s.rest = s.rest[i:]
		return v
	}
	var text strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return text.String()
		case c == '\\' && i+1 < len(s.rest):
			i++
			text.WriteByte(s.rest[i])
		default:
			text.WriteByte(c)
		}
	}
	s.rest = ""
	return text.String() // without its end, which was cut
}
