package logging

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// record is what the journal got.
type record struct {
	Message  string
	Priority int
	Fields   map[string]string
}

// journalLogger returns a logger for a journal that answers err.
func journalLogger(t *testing.T, err error) (l *logrus.Logger, sent *[]record, stderr interface{ String() string }) {
	t.Helper()
	sent = new([]record)
	l, out := newLogger(t, Options{Format: Journal, Level: logrus.TraceLevel, Send: func(message string, priority int, fields map[string]string) error {
		*sent = append(*sent, record{message, priority, fields})
		return err
	}})
	return l, sent, out
}

func TestJournalRecord(t *testing.T) {
	long := strings.Repeat("é", 150)
	tests := []struct {
		name    string
		fields  logrus.Fields
		message string
		want    map[string]string
	}{
		{"no fields", nil, "done", map[string]string{}},
		{
			"run, host and grant, in a stable order",
			logrus.Fields{"run_id": "run_7f3a", "host": "api.github.com:443", "grant": "github:repo"},
			"done grant=github:repo host=api.github.com:443 run_id=run_7f3a",
			map[string]string{"MOAT_RUN_ID": "run_7f3a", "MOAT_HOST": "api.github.com:443", "MOAT_GRANT": "github:repo"},
		},
		{
			"the error comes first",
			logrus.Fields{"error": errors.New("dial: refused"), "a": 1},
			"done: dial: refused a=1",
			map[string]string{"MOAT_ERROR": "dial: refused", "MOAT_A": "1"},
		},
		{
			"the message id is not in the message",
			logrus.Fields{FieldMessageID: MessageIDStarted},
			"done",
			map[string]string{"MESSAGE_ID": MessageIDStarted},
		},
		{
			"a name that is no name in the journal",
			logrus.Fields{"bytes.in-é": 7},
			"done bytes.in-é=7",
			map[string]string{"MOAT_BYTES_IN__": "7"},
		},
		{
			"a value with blanks is quoted",
			logrus.Fields{"path": "/a b", "empty": "", "lines": "a\nb"},
			`done empty="" lines="a\nb" path="/a b"`,
			map[string]string{"MOAT_PATH": "/a b", "MOAT_EMPTY": "", "MOAT_LINES": "a\nb"},
		},
		{
			"a long value is cut in the message only",
			logrus.Fields{"v": long},
			"done v=" + strings.Repeat("é", 100) + "…",
			map[string]string{"MOAT_V": long},
		},
		{
			"a name is cut at 64 bytes",
			logrus.Fields{strings.Repeat("n", 100): 1},
			"done " + strings.Repeat("n", 100) + "=1",
			map[string]string{"MOAT_" + strings.Repeat("N", 59): "1"},
		},
		{
			"of two keys with one name the last wins",
			logrus.Fields{"a-b": 1, "a_b": 2},
			"done a-b=1 a_b=2",
			map[string]string{"MOAT_A_B": "2"},
		},
		{"nil", logrus.Fields{"v": nil}, "done v=<nil>", map[string]string{"MOAT_V": "<nil>"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, sent, stderr := journalLogger(t, nil)
			l.WithFields(tt.fields).Info("done")
			if d := cmp.Diff([]record{{tt.message, 6, tt.want}}, *sent); d != "" {
				t.Errorf("records (-want +got):\n%s", d)
			}
			if stderr.String() != "" {
				t.Errorf("stderr = %q, want nothing", stderr)
			}
		})
	}
}

func TestJournalPriority(t *testing.T) {
	want := map[logrus.Level]int{
		logrus.PanicLevel: 0, logrus.FatalLevel: 2, logrus.ErrorLevel: 3, logrus.WarnLevel: 4,
		logrus.InfoLevel: 6, logrus.DebugLevel: 7, logrus.TraceLevel: 7,
	}
	for level, priority := range want {
		l, sent, stderr := journalLogger(t, nil)
		l.Log(level, "x")
		if len(*sent) != 1 || (*sent)[0].Priority != priority {
			t.Errorf("%v: %+v, want priority %d", level, *sent, priority)
		}
		if last := level <= logrus.FatalLevel; last != (stderr.String() != "") {
			t.Errorf("%v: stderr = %q, want something: %v", level, stderr, last)
		}
	}
}

func TestJournalCaller(t *testing.T) {
	l, sent, _ := journalLogger(t, nil)
	l.SetReportCaller(true)
	l.Info("x")
	got := (*sent)[0].Fields
	if !strings.HasSuffix(got["CODE_FILE"], "journal_test.go") || !strings.HasSuffix(got["CODE_FUNC"], "TestJournalCaller") || got["CODE_LINE"] == "" {
		t.Errorf("fields = %v, want CODE_FILE, CODE_FUNC and CODE_LINE", got)
	}
}

func TestWithoutAJournalNothingIsLost(t *testing.T) {
	l, _, stderr := journalLogger(t, errors.New("no socket"))
	l.WithField("run_id", "run_1").WithError(errors.New("a\nb " + secret)).Error("cannot\r\nrestore")
	l.Debug("x")
	if want := "<3>cannot restore: a b [redacted] run_id=run_1\n<7>x\n"; stderr.String() != want {
		t.Errorf("stderr = %q, want %q", stderr, want)
	}
}

func TestMessageIDsAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, id := range []string{
		MessageIDStarted, MessageIDStopping, MessageIDRunRegistered, MessageIDRunRemoved,
		MessageIDRunDegraded, MessageIDDatabaseQuarantined, MessageIDRequestRefused,
	} {
		if seen[id] || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("message id %q is no id, or there twice", id)
		}
		if got := NewRedactor().Redact(id); got != id {
			t.Errorf("Redact(%q) = %q, want no change", id, got)
		}
		seen[id] = true
	}
}

func FuzzFieldName(f *testing.F) {
	f.Add("run_id")
	f.Add("")
	f.Add("é\xff ß")
	valid := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	f.Fuzz(func(t *testing.T, key string) {
		if got := fieldName(key); !valid.MatchString(got) {
			t.Errorf("fieldName(%q) = %q, which journald drops", key, got)
		}
	})
}
