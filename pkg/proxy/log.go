package proxy

import (
	"bytes"
	"log"
	"time"

	"github.com/sirupsen/logrus"
)

// log writes the line of the request. Path and query stay out of it: an agent
// may have put a secret of its own there.
func (ex *exchange) log(lg *logrus.Logger) {
	fields := logrus.Fields{
		"run_id":      ex.run.runID,
		"request_id":  ex.id,
		"method":      ex.method,
		"host":        ex.head.Target.String(),
		"status":      ex.status,
		"rule":        ex.verdict.Rule,
		"duration_ms": time.Since(ex.start).Milliseconds(),
	}
	if grants := ex.verdict.Rules.Grants(); len(grants) > 0 {
		fields["grant"] = grants[0]
	}
	if ex.again {
		fields["attempts"] = 2
	}
	line := lg.WithFields(fields)
	if ex.verdict.Reason == "" {
		line.Info("request")
		return
	}
	line = line.WithField("reason", ex.verdict.Reason)
	switch {
	case ex.verdict.Reason == reasonCanceled:
		line.Info("request ended by its client")
	case ex.failed:
		line.Warn("request failed")
	default:
		line.Warn("request refused")
	}
}

// connectionLog is where net/http tells of broken handshakes and the like,
// which clients cause all the time, and of panics, which are ours.
func connectionLog(lg *logrus.Logger) *log.Logger {
	return log.New(lineWriter{lg}, "", 0)
}

type lineWriter struct{ log *logrus.Logger }

// Write implements [io.Writer]; each call is one message.
func (w lineWriter) Write(line []byte) (int, error) {
	level := logrus.DebugLevel
	if bytes.HasPrefix(line, []byte("http: panic serving")) || bytes.HasPrefix(line, []byte("http2: panic serving")) {
		level = logrus.ErrorLevel
	}
	w.log.Log(level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
