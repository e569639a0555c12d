package main

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"
	"syscall"
	"time"
)

// An outcome is how one question ended.
type outcome struct {
	due, sent, ended time.Time
	err              error // nil if it was answered as it has to be
}

// counts say how questions ended.
type counts struct {
	OK int `json:"ok"`
	// Refused found nobody listening: no listener at the port, no socket file.
	Refused int `json:"refused"`
	// Reset was accepted, and the connection was over before the answer was.
	Reset int `json:"reset"`
	// Other includes time-outs and wrong answers.
	Other int `json:"other"`
	// Late are those of the failures that no kill explains: they were sent after
	// it, or were over before it. Those in flight at a restart are among them.
	Late    int    `json:"late"`
	Example string `json:"example,omitempty"` // one of the failures, a late one if there is any
	// The waits for the answers that came, in milliseconds from when the question
	// was due.
	P50 int64 `json:"p50_ms"`
	P99 int64 `json:"p99_ms"`
	Max int64 `json:"max_ms"`
}

// A tally is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts counts          // guarded by mu
	waits  []time.Duration // guarded by mu
}

func (t *tally) add(o outcome, events *history) {
	late := o.err != nil && !events.killed(o.sent, o.ended)
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.counts
	switch {
	case o.err == nil:
		c.OK++
		t.waits = append(t.waits, o.ended.Sub(o.due))
		return
	case errors.Is(o.err, syscall.ECONNREFUSED), errors.Is(o.err, fs.ErrNotExist):
		c.Refused++
	case errors.Is(o.err, syscall.ECONNRESET), errors.Is(o.err, syscall.EPIPE),
		errors.Is(o.err, io.EOF), errors.Is(o.err, io.ErrUnexpectedEOF):
		c.Reset++
	default:
		c.Other++
	}
	if late {
		c.Late++
	}
	if c.Example == "" || late && c.Late == 1 {
		c.Example = events.around(o.sent) + ": " + o.err.Error()
	}
}

// sum returns the counts, once all is added.
func (t *tally) sum() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.waits)
	c := t.counts
	c.P50, c.P99, c.Max = quantile(t.waits, 0.5), quantile(t.waits, 0.99), quantile(t.waits, 1)
	return c
}

// quantile returns the wait that the share q of all does not exceed, in
// milliseconds; 0 if there is none.
func quantile(sorted []time.Duration, q float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(math.Ceil(q*float64(len(sorted))))-1].Milliseconds()
}
