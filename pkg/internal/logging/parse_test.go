package logging_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/logging"
)

func TestParseText(t *testing.T) {
	at := time.Date(2026, 11, 25, 2, 3, 4, 5_000_000, time.UTC)
	const head = `time="2026-11-25T02:03:04.005Z" level=warning `
	for _, tt := range []struct {
		name, line string
		want       logging.Entry
	}{
		{"an entry", head + `msg="it \"is\" so" run_id=run_1 host="a b"`, logging.Entry{
			Time: at, Level: "warning", Message: `it "is" so`, Fields: map[string]string{"run_id": "run_1", "host": "a b"},
		}},
		{"one without fields", head + "msg=ready", logging.Entry{Time: at, Level: "warning", Message: "ready"}},
		{"an empty value", head + "msg=ready routing= runs=0", logging.Entry{
			Time: at, Level: "warning", Message: "ready", Fields: map[string]string{"routing": "", "runs": "0"},
		}},
		{"a value in other quotes", head + "msg='a", logging.Entry{Time: at, Level: "warning", Message: "'a"}},
		{"a line of a stack", "goroutine 1 [running]:", logging.Entry{Level: "info", Message: "goroutine 1 [running]:"}},
		{"one with an equals sign", "main.f(a=0x1)", logging.Entry{Level: "info", Message: "main.f(a=0x1)"}},
		{"nothing", "", logging.Entry{Level: "info"}},
	} {
		got, ok := logging.ParseText(tt.line)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok == got.Time.IsZero() {
			t.Errorf("%s: ParseText(%q), %v, -want +got:\n%s", tt.name, tt.line, ok, diff)
		}
	}
}

// Property: what a logger writes as text, ParseText reads again.
func FuzzParseText(f *testing.F) {
	for _, v := range []string{"a", `"`, "a b", "=", `\`, "\n", "'x'", "`x`", ""} {
		f.Add(v, "raw line "+v)
	}
	f.Fuzz(func(t *testing.T, value, raw string) {
		logging.ParseText(raw) // must end, and not panic
		redactor := logging.NewRedactor()
		if !utf8.ValidString(value) || redactor.Redact("v="+value) != "v="+value {
			return
		}
		var out bytes.Buffer
		log, err := logging.New(logging.Options{Format: logging.Text, Out: &out, Redactor: redactor})
		if err != nil {
			t.Fatal(err)
		}
		log.WithField("v", value).Info("m")
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.Contains(line, logging.Mask) {
			return // the quoting made a secret of it
		}
		got, ok := logging.ParseText(line)
		if !ok || got.Message != "m" || got.Fields["v"] != value {
			t.Errorf("ParseText(%q) = %+v, %v, want v=%q", line, got, ok, value)
		}
	})
}
