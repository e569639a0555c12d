package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/logging"
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
		e, ok := logging.ParseText(strings.TrimSuffix(text, "\n"))
		if ok {
			keep = (run == "" || e.Fields["run_id"] == run) && !e.Time.Before(since)
		}
		if keep {
			kept = append(kept, fileLine{text, e})
		}
	}
	return kept
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
