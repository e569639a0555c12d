package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// followPoll is how often a file is looked at for more.
const followPoll = 300 * time.Millisecond

// CopyLog writes what the daemon has logged, as text or as JSON, into the file at
// path. Lines of another form, such as stacks, go with the entry before them. It
// follows the file through being emptied. opts.Since is a time, such as
// "2006-01-02 15:04:05".
//
// The error wraps [ErrNoLog] if there is no file.
func CopyLog(ctx context.Context, path string, opts LogOptions) error {
	since, err := ParseSince(opts.Since)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Problem{What: "there is no log yet at " + path, Todo: "moat daemon start", Kind: ErrNoLog}
	}
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer f.Close()
	t := &fileTail{file: f, filter: lineFilter{run: opts.Run, since: since}}
	lines, err := t.more()
	if err == nil && !opts.Follow {
		lines = append(lines, t.rest()...)
	}
	if opts.Lines > 0 {
		lines = lines[max(0, len(lines)-opts.Lines):]
	}
	for err == nil {
		if err = writeLines(opts, lines); err != nil || !opts.Follow {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPoll):
		}
		lines, err = t.more()
	}
	return err
}

// ParseSince reads a time where there is no journalctl to do it: RFC 3339, or
// "2006-01-02 15:04:05" of the local time, as far as it goes. Of "" it returns the
// zero time. The error says how to write it.
func ParseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &Problem{
		What: fmt.Sprintf("--since %q: without the journal that is no time", text),
		Todo: "write a duration, 10m, or a time, 2006-01-02 15:04:05",
	}
}

// A fileTail reads a file that grows.
type fileTail struct {
	file    *os.File
	offset  int64
	partial string // the beginning of a line whose end is not there yet
	filter  lineFilter
}

// more returns the lines that were added, as far as they are complete and wanted.
func (t *fileTail) more() ([]logLine, error) {
	info, err := t.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	if info.Size() < t.offset { // it was emptied
		t.offset, t.partial = 0, ""
	}
	data, err := io.ReadAll(io.NewSectionReader(t.file, t.offset, info.Size()-t.offset))
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	t.offset += int64(len(data))
	text := t.partial + string(data)
	end := strings.LastIndexByte(text, '\n') + 1
	t.partial = text[end:]
	return t.filter.lines(text[:end]), nil
}

// rest returns the last line if it has no end.
func (t *fileTail) rest() []logLine {
	if t.partial == "" {
		return nil
	}
	return t.filter.lines(t.partial + "\n")
}

// writeLines writes lines as they are, or as JSON.
func writeLines(opts LogOptions, lines []logLine) error {
	enc := json.NewEncoder(opts.Out)
	for _, l := range lines {
		var err error
		if opts.JSON {
			err = enc.Encode(l.entry)
		} else {
			_, err = io.WriteString(opts.Out, l.text)
		}
		if err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
	}
	return nil
}
