package logging

import "github.com/sirupsen/logrus"

// lastLook redacts what its formatter made, so that nothing passes that came
// together only there.
type lastLook struct {
	redactor *Redactor
	inner    logrus.Formatter
}

// Format implements [logrus.Formatter].
func (f *lastLook) Format(e *logrus.Entry) ([]byte, error) {
	b, err := f.inner.Format(e)
	if err != nil {
		return nil, err
	}
	before := string(b)
	if after := f.redactor.Redact(before); after != before {
		return []byte(after), nil
	}
	return b, nil
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
