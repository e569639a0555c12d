// Package logging makes the daemon's logger: logrus, written to the systemd
// journal with fields, or as text or JSON, and in every case behind a
// [Redactor].
package logging

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/sirupsen/logrus"
)

// Format says in which form entries are written.
type Format string

// The formats.
const (
	Auto    Format = "auto"    // Journal if stderr is the journal's, otherwise Text
	Text    Format = "text"    // lines of key=value
	JSON    Format = "json"    // lines of JSON objects
	Journal Format = "journal" // native records for systemd-journald
)

// ParseFormat parses the name of a format. The empty name is Auto.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return Auto, nil
	case Auto, Text, JSON, Journal:
		return f, nil
	}
	return "", fmt.Errorf("log format %q: use auto, text, json or journal", s)
}

// Send passes one record to the journal: its message, its priority, 0 (emergency)
// to 7 (debug), and its other fields by their names. It does not keep fields.
type Send func(message string, priority int, fields map[string]string) error

// Options configure a logger.
type Options struct {
	// Format is how entries are written; empty means Auto.
	Format Format
	// Out takes text and JSON, and in the journal format, as lines with a <N>
	// prefix, what the journal does not take. The daemon passes stderr. Required.
	Out io.Writer
	// Level is the least severe level that is written. The zero value, which
	// logrus calls panic, means info.
	Level logrus.Level
	// Redactor removes the secrets; nil means one that only knows patterns.
	Redactor *Redactor
	// Ring gets every entry too; nil means none.
	Ring *Ring
	// StderrIsJournal makes Auto choose Journal. Without it, Auto asks the
	// system whether stderr is connected to the journal (JOURNAL_STREAM).
	StderrIsJournal bool
	// Send passes records to the journal; nil means the system's journal.
	Send Send
}

// New returns a logger that writes as opts say. The logger is safe for
// concurrent use, and calls neither Out nor Send with anything that the redactor
// has not seen. Its formatter, output and hooks are not to be replaced.
func New(opts Options) (*logrus.Logger, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("make the logger: %w", err)
	}
	l := logrus.New()
	l.SetLevel(opts.Level)
	l.AddHook(&redactHook{opts.Redactor}) // before any other, so that all others see what it left
	if opts.Ring != nil {
		l.AddHook(&ringHook{opts.Redactor, opts.Ring})
	}
	l.SetOutput(opts.Out)
	switch opts.Format {
	case Journal:
		l.AddHook(newJournalHook(opts))
		l.SetOutput(io.Discard)
		l.SetFormatter(noFormatter{})
	case JSON:
		inner := &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true}
		l.SetFormatter(&lastLook{opts.Redactor, inner, mendJSON})
	default:
		inner := &logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00"}
		l.SetFormatter(&lastLook{opts.Redactor, textFormatter{inner}, nil})
	}
	return l, nil
}

func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Format, err = ParseFormat(string(o.Format)); err != nil {
		return o, err
	}
	if o.Out == nil {
		return o, errors.New("no output")
	}
	if o.Level == logrus.PanicLevel {
		o.Level = logrus.InfoLevel
	}
	if o.Redactor == nil {
		o.Redactor = NewRedactor()
	}
	if o.Send == nil {
		o.Send = func(message string, priority int, fields map[string]string) error {
			return journal.Send(message, journal.Priority(priority), fields)
		}
	}
	if o.Format == Auto {
		o.Format = o.auto()
	}
	return o, nil
}

func (o Options) auto() Format {
	if is, err := journal.StderrIsJournalStream(); o.StderrIsJournal || err == nil && is {
		return Journal
	}
	return Text
}
