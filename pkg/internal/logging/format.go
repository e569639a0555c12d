package logging

import (
	"encoding/json"
	"time"

	"github.com/sirupsen/logrus"
)

// lastLook redacts what its formatter made, so that nothing passes that came
// together only there.
type lastLook struct {
	redactor *Redactor
	inner    logrus.Formatter
	// mend makes a well-formed output of a redacted one; nil for text, which
	// always is.
	mend func(e *logrus.Entry, redacted []byte) ([]byte, error)
}

// Format implements [logrus.Formatter].
func (f *lastLook) Format(e *logrus.Entry) ([]byte, error) {
	b, err := f.inner.Format(e)
	if err != nil {
		return nil, err
	}
	before := string(b)
	after := f.redactor.Redact(before)
	switch {
	case after == before:
		return b, nil
	case f.mend == nil:
		return []byte(after), nil
	}
	return f.mend(e, []byte(after))
}

// mendJSON returns a line of valid JSON. A mask may have cut an escape in two, or
// taken a quote; then the whole line becomes the message of another.
func mendJSON(e *logrus.Entry, redacted []byte) ([]byte, error) {
	if json.Valid(redacted) {
		return redacted, nil
	}
	b, err := json.Marshal(map[string]string{
		"level": e.Level.String(), "time": e.Time.Format(time.RFC3339Nano), "msg": string(redacted),
	})
	return append(b, '\n'), err
}

// textFormatter leaves out the message id, which is for programs.
type textFormatter struct{ *logrus.TextFormatter }

// Format implements [logrus.Formatter].
func (f textFormatter) Format(e *logrus.Entry) ([]byte, error) {
	delete(e.Data, FieldMessageID) // e is logrus's copy for this one output
	return f.TextFormatter.Format(e)
}

// noFormatter formats nothing, for a logger whose output is a hook.
type noFormatter struct{}

// Format implements [logrus.Formatter].
func (noFormatter) Format(*logrus.Entry) ([]byte, error) { return nil, nil }
