package main

import (
	"context"
	"sync"
	"time"
)

// patience bounds one question. A connection that waits for a restart takes part
// of a second; this is for one that nobody will ever accept.
const patience = 20 * time.Second

// A target is whom to ask, and how often.
type target struct {
	name  string
	every time.Duration
	// ask opens a connection, asks the whole question and reads the whole answer.
	ask func(context.Context) error
}

// load asks each target at its rate until ctx ends, and returns what came of it
// once the last answer is in. The rate does not depend on the answers.
func load(ctx context.Context, events *history, targets []target) map[string]counts {
	tallies := make([]tally, len(targets))
	var running sync.WaitGroup
	for i, t := range targets {
		running.Go(func() { t.load(ctx, events, &tallies[i]) })
	}
	running.Wait()
	report := make(map[string]counts, len(targets))
	for i, t := range targets {
		report[t.name] = tallies[i].sum()
	}
	return report
}

// load begins a question each time that one is due; one that is begun late is
// counted from when it was due, and the next one is not put off by it.
func (t target) load(ctx context.Context, events *history, into *tally) {
	var open sync.WaitGroup
	defer open.Wait()
	asking := context.WithoutCancel(ctx) // who has asked gets the answer
	for due := time.Now(); ctx.Err() == nil; due = due.Add(t.every) {
		open.Go(func() { into.add(t.question(asking, due), events) })
		select {
		case <-time.After(time.Until(due.Add(t.every))):
		case <-ctx.Done():
		}
	}
}

func (t target) question(ctx context.Context, due time.Time) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := outcome{due: due, sent: time.Now()}
	o.err = t.ask(ctx)
	o.ended = time.Now()
	return o
}
