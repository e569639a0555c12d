package logging

import (
	"log"
	"strings"

	"github.com/sirupsen/logrus"
)

// Std returns a logger of the standard library, such as [net/http.Server] wants
// for its ErrorLog, of which each output becomes one entry of l at level.
func Std(l *logrus.Logger, level logrus.Level) *log.Logger {
	return log.New(&entryWriter{l, level}, "", 0)
}

type entryWriter struct {
	logger *logrus.Logger
	level  logrus.Level
}

// Write implements [io.Writer].
func (w *entryWriter) Write(p []byte) (int, error) {
	w.logger.Log(w.level, strings.TrimRight(string(p), "\r\n"))
	return len(p), nil
}
