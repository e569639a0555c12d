package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A history is what was done to the daemon. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex
	events []event // guarded by mu; in their order
}

// An event is something that was done to the daemon between two moments.
type event struct {
	what       string
	begin, end time.Time // the same, where it is somebody else who does it
}

// follow does what the lines say, and answers each, until they end.
func (h *history) follow(lines io.Reader, answers io.Writer) error {
	for in := bufio.NewScanner(lines); in.Scan(); {
		if err := h.obey(in.Text()); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(answers, "noted"); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) obey(line string) error {
	begin := time.Now()
	what, arg, _ := strings.Cut(line, " ")
	if what != "kill" {
		h.note(event{what, begin, begin})
		return nil
	}
	pid, err := strconv.Atoi(arg)
	if err != nil || pid <= 1 {
		return fmt.Errorf("line %q: want kill PID", line)
	}
	h.mu.Lock() // so that nobody asks for what came of the kill before it is noted
	defer h.mu.Unlock()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	h.events = append(h.events, event{what, begin, time.Now()})
	return nil
}

func (h *history) note(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// killed reports whether a daemon was killed while a question was in flight.
func (h *history) killed(sent, ended time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.what == "kill" && !sent.After(e.end) && !ended.Before(e.begin) {
			return true
		}
	}
	return false
}

// around says when a question was sent.
func (h *history) around(sent time.Time) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, e := range slices.Backward(h.events) {
		if !sent.Before(e.begin) {
			return fmt.Sprintf("sent %v after %s number %d", sent.Sub(e.begin).Round(time.Microsecond), e.what, i+1)
		}
	}
	return "sent before all"
}
