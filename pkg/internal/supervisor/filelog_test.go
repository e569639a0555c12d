package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/logging"
)

const logText = `time="2026-11-25T10:00:00.000Z" level=info msg="moatd is ready" runs=2
time="2026-11-25T11:00:00.000Z" level=info msg=asked run_id=run_1
time="2026-11-25T12:00:00.000Z" level=warning msg="said \"no\"" run_id=run_2
SIGABRT: abort
goroutine 1 [running]:
time="2026-11-25T13:00:00.000Z" level=info msg=asked run_id=run_1
`

func logLines(numbers ...int) string {
	var b strings.Builder
	all := strings.SplitAfter(logText, "\n")
	for _, n := range numbers {
		b.WriteString(all[n])
	}
	return b.String()
}

func TestCopyLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	overwrite(t, path, logText)
	for _, tt := range []struct {
		name string
		opts LogOptions
		want string
	}{
		{"all of it", LogOptions{}, logText},
		{"the end", LogOptions{Lines: 2}, logLines(4, 5)},
		{"more lines than there are", LogOptions{Lines: 100}, logText},
		{"one run, whose lines go with it", LogOptions{Run: "run_2"}, logLines(2, 3, 4)},
		{"another run", LogOptions{Run: "run_1"}, logLines(1, 5)},
		{"the last of a run", LogOptions{Run: "run_1", Lines: 1}, logLines(5)},
		{"no such run", LogOptions{Run: "run_3"}, ""},
		{"since a moment", LogOptions{Since: "2026-11-25T12:00:00Z"}, logLines(2, 3, 4, 5)},
		{"since later", LogOptions{Since: "2026-11-26"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			tt.opts.Out = &out
			if err := CopyLog(t.Context(), path, tt.opts); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("CopyLog(%+v), -want +got:\n%s", tt.opts, diff)
			}
		})
	}
}

func TestCopyLog_aLastLineWithoutItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	overwrite(t, path, strings.TrimSuffix(logText, "\n"))
	var out strings.Builder
	if err := CopyLog(t.Context(), path, LogOptions{Out: &out, Lines: 1}); err != nil || out.String() != logLines(5) {
		t.Errorf("CopyLog = %q, %v; want the last line", out.String(), err)
	}
}

func TestCopyLog_asJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	overwrite(t, path, logLines(2, 3)+`{"level":"info","msg":"ready","runs":3,"time":"2026-11-25T14:00:00Z"}`+"\n")
	var out bytes.Buffer
	if err := CopyLog(t.Context(), path, LogOptions{Out: &out, JSON: true}); err != nil {
		t.Fatal(err)
	}
	var got []logging.Entry
	for dec := json.NewDecoder(&out); dec.More(); {
		var e logging.Entry
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	want := []logging.Entry{
		{Time: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Level: "warning", Message: `said "no"`, Fields: map[string]string{"run_id": "run_2"}},
		{Level: "info", Message: "SIGABRT: abort"},
		{Time: time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC), Level: "info", Message: "ready", Fields: map[string]string{"runs": "3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries, -want +got:\n%s", diff)
	}
}

func TestCopyLog_errors(t *testing.T) {
	dir := t.TempDir()
	if err := CopyLog(t.Context(), filepath.Join(dir, "none"), LogOptions{Out: t.Output()}); !errors.Is(err, ErrNoLog) {
		t.Errorf("without a file: %v, want %v", err, ErrNoLog)
	}
	if err := CopyLog(t.Context(), filepath.Join(dir, "none"), LogOptions{Out: t.Output(), Since: "yesterday"}); err == nil || !strings.Contains(err.Error(), "write a duration") {
		t.Errorf("since yesterday: %v, want an error that says what to write", err)
	}
	if err := CopyLog(t.Context(), dir, LogOptions{Out: t.Output()}); err == nil {
		t.Error("of a directory: nil, want an error")
	}
	path := filepath.Join(dir, "log")
	overwrite(t, path, logText)
	for _, asJSON := range []bool{false, true} {
		if err := CopyLog(t.Context(), path, LogOptions{Out: full{}, JSON: asJSON}); !errors.Is(err, errFull) {
			t.Errorf("into a full disk: %v, want %v", err, errFull)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestCopyLog_follows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		overwrite(t, path, logLines(0, 1)+"time=\"2026")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var out syncBuffer
		done := make(chan error, 1)
		go func() { done <- CopyLog(ctx, path, LogOptions{Out: &out, Follow: true, Lines: 1}) }()
		steps := []struct {
			do   func()
			want string
		}{
			{func() {}, logLines(1)},
			{func() { appendTo(t, path, "-11-25T12:00:00Z\" level=info msg=half\n") }, "time=\"2026-11-25T12:00:00Z\" level=info msg=half\n"},
			{func() {}, ""},
			{func() { overwrite(t, path, logLines(5)) }, logLines(5)}, // emptied, and written to again
			{func() { appendTo(t, path, logLines(3, 4)) }, logLines(3, 4)},
		}
		for i, step := range steps {
			step.do()
			time.Sleep(2 * followPoll)
			synctest.Wait()
			if got := out.take(); got != step.want {
				t.Errorf("after step %d: %q, want %q", i, got, step.want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("CopyLog = %v, want nil once its context ends", err)
		}
	})
}

// syncBuffer is written to by another goroutine, which waits meanwhile.
type syncBuffer struct{ buf bytes.Buffer }

func (b *syncBuffer) Write(p []byte) (int, error) { return b.buf.Write(p) }

func (b *syncBuffer) take() string {
	defer b.buf.Reset()
	return b.buf.String()
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestLaunchd_logs(t *testing.T) {
	macTest(t, func(m *mac) {
		t := m.t
		m.mustInstall(InstallOptions{})
		var out strings.Builder
		if err := m.Logs(t.Context(), LogOptions{Out: &out}); !errors.Is(err, ErrNoLog) {
			t.Errorf("Logs before the first start = %v, want %v", err, ErrNoLog)
		}
		overwrite(t, m.log(), logText)
		if err := m.Logs(t.Context(), LogOptions{Out: &out, Lines: 1}); err != nil || out.String() != logLines(5) {
			t.Errorf("Logs = %q, %v; want the last line", out.String(), err)
		}
	})
}

// Property: what logging writes, parseLine reads, and no line makes it panic.
func FuzzParseLine(f *testing.F) {
	for line := range strings.Lines(logText) {
		f.Add(line, "run_1", line)
	}
	f.Add("a=b \"c\" = \x00", "", `{"time":1}`)
	f.Fuzz(func(t *testing.T, message, run, line string) {
		parseLine(line)
		for _, format := range []logging.Format{logging.Text, logging.JSON} {
			var out bytes.Buffer
			log, err := logging.New(logging.Options{Format: format, Out: &out})
			if err != nil {
				t.Fatal(err)
			}
			log.WithFields(logrus.Fields{"run_id": run}).Warn(message)
			written := strings.TrimSuffix(out.String(), "\n")
			got, ok := parseLine(written)
			if !ok || got.Level != "warning" || got.Time.IsZero() {
				t.Errorf("%s: parseLine(%q) = %+v, %v", format, written, got, ok)
			}
			if plain(message) && plain(run) && (got.Message != message || got.Fields["run_id"] != run) {
				t.Errorf("%s: parseLine(%q) = %+v, want %q of %q", format, written, got, message, run)
			}
		}
	})
}

// plain reports whether the redactor leaves s alone.
func plain(s string) bool {
	return len(s) < 16 && !strings.ContainsFunc(s, func(r rune) bool { return r > '~' || r < ' ' })
}
