package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoadDoesNotSlowDownForLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute-time.Millisecond)
		defer cancel()
		slow := func(context.Context) error { time.Sleep(10 * time.Second); return nil }
		quick := func(context.Context) error { return nil }
		got := load(ctx, new(history), []target{{"slow", 10 * time.Millisecond, slow}, {"quick", time.Second, quick}})
		if c := got["slow"]; c.OK != 6000 || c.P50 != 10_000 || c.Max != 10_000 {
			t.Errorf("slow: %+v, want 6000 answers after 10 s each, the last of which is waited for", c)
		}
		if c := got["quick"]; c.OK != 60 || c.Max != 0 {
			t.Errorf("quick: %+v, want 60 answers at once", c)
		}
	})
}

func TestLoadHasLimitedPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		never := func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
		begin := time.Now()
		got := load(ctx, new(history), []target{{"a", time.Hour, never}})["a"]
		if got.Other != 1 || got.Late != 1 || time.Since(begin) != patience {
			t.Errorf("%+v after %v, want one that is neither refused nor reset, after %v", got, time.Since(begin), patience)
		}
	})
}

func TestTally(t *testing.T) {
	zero := time.Unix(0, 0)
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	h := &history{events: []event{{"kill", at(100), at(102)}, {"restart", at(200), at(200)}}}
	for _, tt := range []struct {
		name        string
		sent, ended int // ms
		err         error
		want        counts
	}{
		{"an answer", 0, 90, nil, counts{OK: 1}},
		{"nobody at the port", 0, 1, syscall.ECONNREFUSED, counts{Refused: 1, Late: 1}},
		{"no socket file", 0, 1, fs.ErrNotExist, counts{Refused: 1, Late: 1}},
		{"reset by a kill", 50, 103, syscall.ECONNRESET, counts{Reset: 1}},
		{"ended by a kill", 50, 101, io.ErrUnexpectedEOF, counts{Reset: 1}},
		{"sent while it was killed", 101, 104, io.EOF, counts{Reset: 1}},
		{"sent after it was killed", 103, 104, io.EOF, counts{Reset: 1, Late: 1}},
		{"over before it was killed", 98, 99, syscall.EPIPE, counts{Reset: 1, Late: 1}},
		{"in flight at a restart", 199, 201, syscall.ECONNRESET, counts{Reset: 1, Late: 1}},
		{"a wrong answer", 300, 301, errors.New("no"), counts{Other: 1, Late: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tl tally
			if tt.err != nil {
				tt.err = fmt.Errorf("ask: %w", tt.err)
			}
			tl.add(outcome{at(tt.sent), at(tt.sent), at(tt.ended), tt.err}, h)
			got := tl.sum()
			got.Example, got.P50, got.P99, got.Max = "", 0, 0, 0
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestTallyShowsALateFailureFirst(t *testing.T) {
	zero := time.Unix(0, 0)
	h := &history{events: []event{{"kill", zero, zero.Add(time.Millisecond)}}}
	var tl tally
	for i, text := range []string{"in flight", "late", "later"} {
		sent := zero.Add(time.Duration(i) * time.Second)
		tl.add(outcome{sent, sent, sent, errors.New(text)}, h)
	}
	if got, want := tl.sum().Example, "sent 1s after kill number 1: late"; got != want {
		t.Errorf("example %q, want %q", got, want)
	}
}

func TestQuantile(t *testing.T) {
	var waits []time.Duration
	for i := range 200 {
		waits = append(waits, time.Duration(i+1)*time.Millisecond)
	}
	for q, want := range map[float64]int64{0.5: 100, 0.99: 198, 1: 200} {
		if got := quantile(waits, q); got != want {
			t.Errorf("quantile(1 to 200 ms, %v) = %d, want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("quantile of nothing = %d, want 0", got)
	}
}

func TestFollowNotesAndAnswersEachLine(t *testing.T) {
	var h history
	var answers strings.Builder
	if err := h.follow(strings.NewReader("restart\nrestart\n"), &answers); err != nil || answers.String() != "noted\nnoted\n" {
		t.Errorf("follow = %v, answered %q, want noted twice", err, answers.String())
	}
	if len(h.events) != 2 || h.killed(time.Unix(0, 0), time.Now()) {
		t.Errorf("events %+v, want two, and no kill", h.events)
	}
	for _, line := range []string{"kill", "kill 0", "kill -1", "kill 1", "kill x"} {
		if err := h.follow(strings.NewReader(line), &answers); err == nil || !strings.Contains(err.Error(), "want kill PID") {
			t.Errorf("follow(%q) = %v, want an error", line, err)
		}
	}
}
