package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// patience bounds one question. A connection that waits for a restart takes part
// of a second; this is for one that nobody will ever accept.
const patience = 20 * time.Second

// A target is whom to ask, and the whole question.
type target struct{ network, address, question string }

// counts say how connections ended.
type counts struct {
	OK int `json:"ok"` // answered, whatever the status
	// Refused found nobody listening: no listener at the port, no socket file.
	Refused int `json:"refused"`
	// Reset was accepted, and then its daemon died before it answered.
	Reset int `json:"reset"`
	// Other includes time-outs. Example is the first of them.
	Other   int    `json:"other"`
	Example string `json:"example,omitempty"`
	// SlowestMS is the longest wait for an answer, in milliseconds.
	SlowestMS int64 `json:"slowest_ms"`
}

// A tally is safe for concurrent use until its counts are read.
type tally struct {
	mu     sync.Mutex
	counts counts
}

func newTally() *tally { return &tally{} }

func (t *tally) add(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch c := &t.counts; {
	case err == nil:
		c.OK++
		c.SlowestMS = max(c.SlowestMS, took.Milliseconds())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		c.Refused++
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF):
		c.Reset++
	default:
		c.Other++
		if c.Example == "" {
			c.Example = err.Error()
		}
	}
}

// ask opens a connection, asks, and reads the head of the answer.
func (t target) ask(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, t.network, t.address)
	if err != nil {
		return 0, fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	if err = conn.SetDeadline(start.Add(patience)); err != nil {
		return 0, fmt.Errorf("set the deadline: %w", err)
	}
	if _, err = io.WriteString(conn, t.question); err != nil {
		return 0, fmt.Errorf("ask: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	defer resp.Body.Close()
	return time.Since(start), nil
}
