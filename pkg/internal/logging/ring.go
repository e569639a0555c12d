package logging

import (
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// An Entry is one entry of the log, for programs.
type Entry struct {
	Time    time.Time         `json:"time"`
	Level   string            `json:"level"` // as logrus names it
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields,omitempty"`
}

// ringSize is how many entries a Ring holds.
const ringSize = 1000

// A Ring holds the last thousand entries of a log, redacted, for those who cannot
// read where the log goes. It is safe for concurrent use. The zero value is empty
// and ready to use.
type Ring struct {
	mu      sync.Mutex // guards what follows
	entries [ringSize]Entry
	count   uint64 // of all entries there ever were
}

// After returns the entries after the first n that there ever were, as far as
// they are still held, and how many there ever were. An n of more than that is of
// another ring, and means 0.
func (r *Ring) After(n uint64) (entries []Entry, count uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.count {
		n = 0
	}
	if r.count > ringSize {
		n = max(n, r.count-ringSize)
	}
	for ; n < r.count; n++ {
		entries = append(entries, r.entries[n%ringSize])
	}
	return entries, r.count
}

func (r *Ring) add(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[r.count%ringSize] = e
	r.count++
}

// ringHook puts entries into a ring. It comes after the hook that redacts.
type ringHook struct {
	redactor *Redactor
	ring     *Ring
}

// Levels implements [logrus.Hook].
func (*ringHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements [logrus.Hook].
func (h *ringHook) Fire(e *logrus.Entry) error {
	out := Entry{Time: e.Time.UTC(), Level: e.Level.String(), Message: h.redactor.Redact(e.Message)}
	if len(e.Data) > 0 {
		out.Fields = make(map[string]string, len(e.Data))
	}
	for key, v := range e.Data {
		out.Fields[key] = h.redactor.Redact(fmt.Sprint(v))
	}
	h.ring.add(out)
	return nil
}
