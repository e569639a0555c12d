package logging

import (
	"testing"

	"github.com/sirupsen/logrus"
)

func TestStdMakesOneEntryOfEachOutput(t *testing.T) {
	l, sent, _ := journalLogger(t, nil)
	std := Std(l, logrus.WarnLevel)
	std.Printf("http: TLS handshake error from %s: EOF", "127.0.0.1:1")
	std.Print("http: panic serving: " + secret + "\ngoroutine 1 [running]:\n\n")
	want := []string{
		"http: TLS handshake error from 127.0.0.1:1: EOF",
		"http: panic serving: [redacted]\ngoroutine 1 [running]:",
	}
	if len(*sent) != len(want) {
		t.Fatalf("%d entries, want %d: %+v", len(*sent), len(want), *sent)
	}
	for i, r := range *sent {
		if r.Message != want[i] || r.Priority != 4 {
			t.Errorf("entry %d = %q at %d, want %q at 4", i, r.Message, r.Priority, want[i])
		}
	}
}
