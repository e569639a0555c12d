package supervisor

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/internal/logging"
)

// A logLine is a line of a log file.
type logLine struct {
	text  string // as it is, with its end
	entry logging.Entry
}

// A lineFilter finds the wanted lines of a log. Its zero value wants all.
type lineFilter struct {
	run   string    // only entries of the run with this id; "" for all
	since time.Time // only entries from then on
	on    bool      // the last entry was wanted
	begun bool      // there was an entry
}

// lines returns the wanted ones of the lines of text, which go on from those of
// the call before.
func (f *lineFilter) lines(text string) []logLine {
	var kept []logLine
	for line := range strings.Lines(text) {
		e, ok := parseLine(strings.TrimSuffix(line, "\n"))
		switch {
		case ok:
			f.begun, f.on = true, (f.run == "" || e.Fields["run_id"] == f.run) && !e.Time.Before(f.since)
		case !f.begun:
			f.on = f.run == "" && f.since.IsZero()
		}
		if f.on {
			kept = append(kept, logLine{line, e})
		}
	}
	return kept
}

// parseLine reads a line that logging has written, as text or as JSON, and
// reports whether it is one. One of another form becomes the message of an entry
// without a time.
func parseLine(line string) (logging.Entry, bool) {
	if !strings.HasPrefix(line, "{") {
		return logging.ParseText(line)
	}
	fields, ok := jsonFields(line)
	at, err := time.Parse(time.RFC3339, fields["time"])
	if !ok || err != nil {
		return logging.Entry{Level: "info", Message: line}, false
	}
	e := logging.Entry{Time: at, Level: fields["level"], Message: fields["msg"]}
	for _, own := range []string{"time", "level", "msg"} {
		delete(fields, own)
	}
	if len(fields) > 0 {
		e.Fields = fields
	}
	return e, true
}

func jsonFields(line string) (map[string]string, bool) {
	var values map[string]any
	if err := json.Unmarshal([]byte(line), &values); err != nil {
		return nil, false
	}
	fields := make(map[string]string, len(values))
	for key, v := range values {
		fields[key] = fmt.Sprint(v)
	}
	return fields, true
}
