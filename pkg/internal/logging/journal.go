package logging

import (
	"fmt"
	"log"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

const (
	maxName = 64  // bytes of a field's name; journald drops fields with longer ones
	maxPair = 200 // bytes of a value in the message; the field has all of it
)

// journalHook writes entries to the journal. What the journal does not take goes
// to fallback, as do the entries after which the program may end: journald
// cannot tell from which unit a record came whose sender is gone by then, and
// the stream of stderr has its unit from the beginning.
type journalHook struct {
	redactor *Redactor
	send     Send
	fallback *log.Logger
}

func newJournalHook(opts Options) *journalHook {
	return &journalHook{redactor: opts.Redactor, send: opts.Send, fallback: log.New(opts.Out, "", 0)}
}

// Levels implements [logrus.Hook].
func (*journalHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements [logrus.Hook].
func (h *journalHook) Fire(e *logrus.Entry) error {
	message := h.redactor.Redact(journalMessage(e))
	fields := journalFields(e)
	for name, v := range fields {
		fields[name] = h.redactor.Redact(v)
	}
	err := h.send(message, priority(e.Level), fields)
	if err == nil && e.Level > logrus.FatalLevel {
		return nil
	}
	// One prefix for each line, since each becomes a record.
	line := strings.Join(strings.FieldsFunc(message, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	h.fallback.Print("<" + strconv.Itoa(priority(e.Level)) + ">" + line)
	return nil
}

// priority returns the syslog priority of level.
func priority(level logrus.Level) int {
	switch level {
	case logrus.PanicLevel:
		return 0
	case logrus.FatalLevel:
		return 2
	case logrus.ErrorLevel:
		return 3
	case logrus.WarnLevel:
		return 4
	case logrus.InfoLevel:
		return 6
	default:
		return 7
	}
}

// journalFields returns the fields of e under their names in the journal.
func journalFields(e *logrus.Entry) map[string]string {
	out := make(map[string]string, len(e.Data)+3)
	for _, key := range slices.Sorted(maps.Keys(e.Data)) { // sorted, so that of two equal names the same one wins
		out[fieldName(key)] = fmt.Sprint(e.Data[key])
	}
	if e.Caller != nil {
		out["CODE_FILE"], out["CODE_FUNC"] = e.Caller.File, e.Caller.Function
		out["CODE_LINE"] = strconv.Itoa(e.Caller.Line)
	}
	return out
}

// fieldName returns the journal's name for the field key: MOAT_RUN_ID for
// run_id, and MESSAGE_ID for message_id.
func fieldName(key string) string {
	if key == FieldMessageID {
		return "MESSAGE_ID"
	}
	name := "MOAT_" + strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(key))
	return name[:min(len(name), maxName)]
}

// journalMessage returns the message of e with its fields, the error first, the
// others by name, so that it can be read without them.
func journalMessage(e *logrus.Entry) string {
	var b strings.Builder
	b.WriteString(e.Message)
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		fmt.Fprintf(&b, ": %v", err)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		if key != logrus.ErrorKey && key != FieldMessageID {
			b.WriteString(" " + key + "=" + short(fmt.Sprint(e.Data[key])))
		}
	}
	return b.String()
}

// short returns v, quoted where that is needed, and cut if it is long.
func short(v string) string {
	if len(v) > maxPair {
		v = strings.ToValidUTF8(v[:maxPair], "") + "…"
	}
	if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || r == 0x7f }) {
		return strconv.Quote(v)
	}
	return v
}
