package logging

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// ParseText reads a line of a log in the format [Text]. A line of another form,
// such as one of a stack, is an entry with that message and no time, and false.
func ParseText(line string) (Entry, bool) {
	other := Entry{Level: "info", Message: line}
	fields := make(map[string]string)
	for rest := line; rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return other, false
		}
		fields[key], rest = textValue(after)
	}
	at, err := time.Parse(time.RFC3339, fields["time"])
	if err != nil {
		return other, false
	}
	e := Entry{Time: at, Level: cmp.Or(fields["level"], other.Level), Message: fields["msg"]}
	for _, own := range []string{"time", "level", "msg"} {
		delete(fields, own)
	}
	if len(fields) > 0 {
		e.Fields = fields
	}
	return e, true
}

// textValue returns the value that text begins with, and what follows the space
// after it.
func textValue(text string) (value, rest string) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil || text[0] != '"' { // logrus quotes so alone
		value, rest, _ = strings.Cut(text, " ")
		return value, rest
	}
	value, _ = strconv.Unquote(quoted) // QuotedPrefix has checked it
	return value, strings.TrimPrefix(text[len(quoted):], " ")
}
