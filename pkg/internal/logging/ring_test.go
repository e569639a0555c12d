package logging_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/moatd/moatd/pkg/internal/logging"
)

func TestRing_holdsTheLastEntriesRedacted(t *testing.T) {
	const secret = "s3cret-of-the-ring"
	ring, redactor := new(logging.Ring), logging.NewRedactor()
	redactor.Add(secret)
	log, err := logging.New(logging.Options{Format: logging.Text, Out: io.Discard, Redactor: redactor, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	log.WithField("run_id", "run_1").WithField("note", secret).Warn("it is " + secret)
	log.Debug("nobody wants to know")
	entries, next := ring.After(0)
	if len(entries) != 1 || next != 1 {
		t.Fatalf("After(0) = %v, %d, want one entry", entries, next)
	}
	e := entries[0]
	if e.Level != "warning" || e.Fields["run_id"] != "run_1" || e.Time.IsZero() || strings.Contains(fmt.Sprint(e), secret) {
		t.Errorf("entry %+v, want level, run and time, and no secret", e)
	}
}

func TestRing_After(t *testing.T) {
	ring := new(logging.Ring)
	log, err := logging.New(logging.Options{Format: logging.Text, Out: io.Discard, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2500 {
		log.Info(fmt.Sprint("entry ", i))
	}
	for _, tt := range []struct {
		name        string
		after       uint64
		first, size int
	}{
		{"all means the last thousand", 0, 1500, 1000},
		{"what has gone is left out", 700, 1500, 1000},
		{"what came since", 2498, 2498, 2},
		{"nothing new", 2500, 0, 0},
		{"a count of another ring", 2501, 1500, 1000},
	} {
		got, next := ring.After(tt.after)
		if len(got) != tt.size || next != 2500 || tt.size > 0 && got[0].Message != fmt.Sprint("entry ", tt.first) {
			t.Errorf("%s: After(%d): %d entries, next %d, want %d from entry %d", tt.name, tt.after, len(got), next, tt.size, tt.first)
		}
	}
}

func TestRing_isSafeForConcurrentUse(t *testing.T) {
	ring := new(logging.Ring)
	log, err := logging.New(logging.Options{Format: logging.Text, Out: io.Discard, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				log.Info("x")
				ring.After(0)
			}
		})
	}
	all.Wait()
	if _, n := ring.After(0); n != 1600 {
		t.Errorf("%d entries, want 1600", n)
	}
}
