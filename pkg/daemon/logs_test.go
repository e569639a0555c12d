package daemon

import (
	"io"
	"testing"

	"github.com/moatd/moatd/pkg/internal/logging"
)

func TestLogs(t *testing.T) {
	ring := new(logging.Ring)
	log, err := logging.New(logging.Options{Format: logging.Text, Out: io.Discard, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	_, c := serve(t, Options{Log: log, Ring: ring})
	log.WithField("run_id", "run_1").Info("one")
	first, err := c.Logs(t.Context(), 0)
	if err != nil || len(first.Entries) != 1 || first.Entries[0].Message != "one" || first.Entries[0].Fields["run_id"] != "run_1" {
		t.Fatalf("Logs(0) = %+v, %v, want the one entry", first, err)
	}
	log.Info("two")
	second, err := c.Logs(t.Context(), first.Next)
	if err != nil || len(second.Entries) != 1 || second.Entries[0].Message != "two" {
		t.Errorf("Logs(%d) = %+v, %v, want what came since", first.Next, second, err)
	}
}
