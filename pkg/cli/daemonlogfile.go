package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// fileLogs shows the file of a daemon that moat run has started.
func (s *service) fileLogs(ctx context.Context, f *os.File, o supervisor.LogOptions) error {
	since, err := parseSince(o.Since)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(f)
	for err == nil {
		lines := strings.SplitAfter(string(data), "\n")
		if rest := lines[len(lines)-1]; rest == "" {
			lines = lines[:len(lines)-1]
		}
		entries := parseLines(lines, o.Run, since)
		if o.Lines > 0 {
			entries = entries[max(0, len(entries)-o.Lines):]
		}
		if err = writeLines(o, entries); err != nil || !o.Follow || !wait(ctx, followPoll) {
			return err
		}
		o.Lines = 0
		data, err = io.ReadAll(f)
	}
	return err
}

// fileLine is a line of the daemon's log as text.
type fileLine struct {
	text  string
	entry daemon.LogEntry
}

// parseLines reads the lines of a log as logging writes them as text. Lines of
// another form, such as stacks, go with what stands before them.
func parseLines(lines []string, run string, since time.Time) []fileLine {
	var kept []fileLine
	keep := run == "" && since.IsZero()
	for _, text := range lines {
		e := parseLine(strings.TrimSuffix(text, "\n"))
		if !e.Time.IsZero() {
			keep = (run == "" || e.Fields["run_id"] == run) && !e.Time.Before(since)
		}
		if keep {
			kept = append(kept, fileLine{text, e})
		}
	}
	return kept
}

// parseLine reads time=… level=… msg=… key=value of a line; one of another form
// is a message.
func parseLine(text string) daemon.LogEntry {
	e := daemon.LogEntry{Level: "info", Message: text}
	rest := text
	fields := make(map[string]string)
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return e
		}
		value, more, _ := strings.Cut(after, " ")
		if quoted, err := strconv.QuotedPrefix(after); err == nil {
			value, _ = strconv.Unquote(quoted) // QuotedPrefix has checked it
			more = strings.TrimPrefix(after[len(quoted):], " ")
		}
		fields[key], rest = value, more
	}
	at, err := time.Parse(time.RFC3339, fields["time"])
	if err != nil {
		return e
	}
	e.Time, e.Level, e.Message = at, cmp.Or(fields["level"], e.Level), fields["msg"]
	for _, own := range []string{"time", "level", "msg"} {
		delete(fields, own)
	}
	if len(fields) > 0 {
		e.Fields = fields
	}
	return e
}

func writeLines(o supervisor.LogOptions, lines []fileLine) error {
	for _, l := range lines {
		if o.JSON {
			if err := writeEntries(o, []daemon.LogEntry{l.entry}); err != nil {
				return err
			}
			continue
		}
		if _, err := io.WriteString(o.Out, l.text); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
	}
	return nil
}
