package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

const secret = `sword"fish-1`

// secretive prints a secret in one of the ways that a type can.
type (
	named     string
	stringer  struct{ v string }
	failing   struct{}
	nested    struct{ hidden inner }
	inner     struct{ Text string }
	namedByte byte
)

func (s stringer) String() string { return s.v }
func (failing) Error() string     { panic("broken " + secret) }

// newLogger returns a logger that knows secret, and what it has written.
func newLogger(tb testing.TB, opts Options) (*logrus.Logger, *bytes.Buffer) {
	tb.Helper()
	var out bytes.Buffer
	opts.Out, opts.Redactor = &out, NewRedactor()
	opts.Redactor.Add(secret)
	l, err := New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return l, &out
}

// fields are a secret in values of many types.
func fields() logrus.Fields {
	p := &inner{secret}
	return logrus.Fields{
		"string":      "a " + secret,
		"named":       named(secret),
		"bytes":       []byte(secret),
		"named bytes": []namedByte(secret),
		"array":       [12]byte([]byte(secret)),
		"raw":         json.RawMessage(secret),
		"error":       fmt.Errorf("dial: %w", errors.New(secret)),
		"joined":      errors.Join(errors.New("a"), errors.New(secret)),
		"stringer":    stringer{secret},
		"panics":      failing{},
		"pointer":     p,
		"pointer 2":   &p,
		"struct":      nested{inner{secret}},
		"slice":       []string{"a", secret},
		"of bytes":    [][]byte{[]byte(secret)},
		"map":         map[string]map[string][]string{"h": {"x": {secret}}},
		"key":         map[string]int{secret: 1},
		secret:        "in the key",
		"buffer":      bytes.NewBufferString(secret),
		"nil pointer": (*stringer)(nil),
		"func":        func() {},
	}
}

func TestNoOutputHasTheSecret(t *testing.T) {
	for _, format := range []Format{Text, JSON, Journal} {
		t.Run(string(format), func(t *testing.T) {
			var sent []string
			l, out := newLogger(t, Options{Format: format, Send: func(message string, priority int, fields map[string]string) error {
				sent = append(sent, fmt.Sprint(message, priority, fields))
				return nil
			}})
			for key, v := range fields() {
				l.WithField(key, v).Info("one")
				l.WithField("list", []logrus.Fields{{key: v}}).Info("in a list")
			}
			l.WithFields(fields()).Error("all at " + secret)
			l.WithError(errors.New(secret)).Warnf("%q %x %v", secret, secret, []byte(secret))
			all := out.String() + strings.Join(sent, "\n")
			for _, e := range encodings() {
				if strings.Contains(all, e.write(secret)) {
					t.Errorf("the secret, %s, is in:\n%s", e.name, all)
				}
			}
			if n := strings.Count(all, Mask); n < 40 {
				t.Errorf("%d masks in:\n%s", n, all)
			}
		})
	}
}

func TestFieldsAreReadable(t *testing.T) {
	var nowhere *logrus.Entry
	tests := []struct {
		name  string
		key   string
		value any
		want  string // as JSON
	}{
		{"a string", "k", "v", `"v"`},
		{"a number stays a number", "k", 42, `42`},
		{"a named number, too", "k", logrus.Level(4), `"info"`},
		{"a fraction", "k", 1.5, `1.5`},
		{"what is not a number has no form in JSON", "k", math.NaN(), `"NaN"`},
		{"a boolean", "k", true, `true`},
		{"nil", "k", nil, `null`},
		{"a nil pointer", "k", nowhere, `"<nil>"`},
		{"a duration", "k", 1500 * time.Millisecond, `"1.5s"`},
		{"a time", "k", time.Date(2026, 11, 23, 10, 0, 0, 5000, time.UTC), `"2026-11-23T10:00:00.000005Z"`},
		{"a struct", "k", inner{"x"}, `"{Text:x}"`},
		{"bytes are text", "k", []byte("x"), `"x"`},
		{"a number that is a secret", "k", 1234567890, `"[redacted]"`},
		{"a token, by its key", "Token", "short", `"[redacted]"`},
		{"a password, by its key", "db_password", 7, `"[redacted]"`},
		{"a header, by its key", "Proxy-Authorization", "x", `"[redacted]"`},
		{"a count of tokens stays", "tokens", 7, `7`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRedactor()
			r.Add("1234567890")
			var out bytes.Buffer
			l, err := New(Options{Format: JSON, Out: &out, Redactor: r})
			if err != nil {
				t.Fatal(err)
			}
			l.WithField(tt.key, tt.value).Info("m")
			var got map[string]json.RawMessage
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", &out, err)
			}
			if string(got[tt.key]) != tt.want {
				t.Errorf("%s = %s, want %s", tt.key, got[tt.key], tt.want)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 7e6, time.UTC)
	tests := []struct {
		format Format
		want   string
	}{
		{Text, "time=\"2026-11-23T10:00:00.007Z\" level=info msg=\"run registered\" run_id=run_7f3a\n"},
		{JSON, `{"level":"info","message_id":"` + MessageIDRunRegistered + `","msg":"run registered","run_id":"run_7f3a","time":"2026-11-23T10:00:00.007Z"}` + "\n"},
	}
	for _, tt := range tests {
		t.Run(string(tt.format), func(t *testing.T) {
			l, out := newLogger(t, Options{Format: tt.format})
			e := l.WithTime(at).WithFields(logrus.Fields{"run_id": "run_7f3a", FieldMessageID: MessageIDRunRegistered})
			e.Info("run registered")
			e.Debug("below the level")
			if d := cmp.Diff(tt.want, out.String()); d != "" {
				t.Errorf("output (-want +got):\n%s", d)
			}
			if len(e.Data) != 2 {
				t.Errorf("the caller's fields have become %v", e.Data)
			}
		})
	}
}

func TestAuto(t *testing.T) {
	tests := []struct {
		name     string
		stream   string // JOURNAL_STREAM
		is       bool
		recorded bool // a native record was sent
	}{
		{"a terminal", "", false, false},
		{"stderr is the journal's", "", true, true},
		{"the journal has another descriptor", "1:1", false, false},
		{"a variable that makes no sense", "x", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("JOURNAL_STREAM", tt.stream)
			recorded := false
			l, out := newLogger(t, Options{StderrIsJournal: tt.is, Send: func(string, int, map[string]string) error {
				recorded = true
				return nil
			}})
			l.Info("x")
			if recorded != tt.recorded || (out.Len() == 0) != tt.recorded {
				t.Errorf("recorded: %v, output: %q; want recorded: %v", recorded, out, tt.recorded)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "make the logger: no output" {
		t.Errorf("New without an output = %v", err)
	}
	if _, err := New(Options{Out: io.Discard, Format: "xml"}); err == nil || !strings.Contains(err.Error(), `log format "xml"`) {
		t.Errorf("New with the format xml = %v", err)
	}
}

func TestParseFormat(t *testing.T) {
	for in, want := range map[string]Format{"": Auto, "auto": Auto, "text": Text, "json": JSON, "journal": Journal} {
		if got, err := ParseFormat(in); got != want || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"JSON", "xml", " text"} {
		if got, err := ParseFormat(in); err == nil {
			t.Errorf("ParseFormat(%q) = %q, want an error", in, got)
		}
	}
}

func TestLevel(t *testing.T) {
	for level, want := range map[logrus.Level]int{0: 1, logrus.InfoLevel: 1, logrus.DebugLevel: 2, logrus.ErrorLevel: 0} {
		l, out := newLogger(t, Options{Format: Text, Level: level})
		l.Info("x")
		l.Debug("x")
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("level %v writes %d lines, want %d", level, got, want)
		}
	}
}

func TestPanicCarriesNoSecret(t *testing.T) {
	l, _ := newLogger(t, Options{Format: Text})
	defer func() {
		e, ok := recover().(*logrus.Entry)
		if !ok || strings.Contains(fmt.Sprint(e.Message, e.Data), secret) {
			t.Errorf("panic with %v, want an entry without the secret", e)
		}
	}()
	l.WithField("k", secret).Panic("lost " + secret)
}

func TestLoggerIsSafeForConcurrentUse(t *testing.T) {
	for _, format := range []Format{Text, JSON, Journal} {
		l, out := newLogger(t, Options{Format: format, Send: func(string, int, map[string]string) error { return errors.New("no journal") }})
		shared := l.WithField("k", secret)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { shared.Info("x") })
		}
		wg.Wait()
		if n := strings.Count(out.String(), "\n"); n != 8 {
			t.Errorf("%s: %d lines, want 8:\n%s", format, n, out)
		}
	}
}

func FuzzLoggerHidesSecrets(f *testing.F) {
	f.Add("swordfish", "at ", " end", uint8(0), uint8(0))
	f.Add(secret, `{"a":"`, `"}`, uint8(1), uint8(1))
	f.Add(odd, "", "=", uint8(9), uint8(2))
	f.Add("n0000000", "\n0000000", "\b", uint8(0), uint8(1)) // in JSON, an escape has the beginning of the secret
	f.Add("swordfish", "authorization:\n x", "", uint8(0), uint8(1))
	all := encodings()
	f.Fuzz(func(t *testing.T, secret, before, after string, which, where uint8) {
		secret = strings.TrimSpace(secret)
		if len(secret) < minSecret || strings.ContainsAny(secret, "[]") || strings.Contains(Mask, secret) || inFrame(secret) {
			t.Skip("not a secret that can be told from the frame of an entry")
		}
		text := before + all[int(which)%len(all)].write(secret) + after
		format := []Format{Text, JSON, Journal}[where%3]
		var out bytes.Buffer
		r := NewRedactor()
		r.Add(secret)
		l, err := New(Options{Format: format, Out: &out, Redactor: r, Send: func(message string, _ int, fields map[string]string) error {
			fmt.Fprint(&out, message, fields)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		e := logrus.NewEntry(l)
		switch where / 3 % 5 {
		case 0:
			e.Info(text)
		case 1:
			e.WithField("k", text).Info("m")
		case 2:
			e.WithField(text, "v").Info("m")
		case 3:
			e.WithError(errors.New(text)).Info("m")
		case 4:
			e.WithField("k", map[string][]byte{"x": []byte(text)}).Info("m")
		}
		if format == JSON && !json.Valid(out.Bytes()) {
			t.Errorf("secret %q, text %q: not JSON: %s", secret, text, &out)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("secret %q, text %q, %s: %s", secret, text, format, &out)
		}
	})
}

// inFrame reports whether s could be a part of what every entry has.
func inFrame(s string) bool {
	return strings.Contains(`{"level":"info","msg":"m","time":"","k":"v","error":""} level=info msg=m k=v error= map[MOAT_K:] MOAT_ERROR:`, s) ||
		strings.Trim(s, `0123456789-:.TZ="time_`) == ""
}

func BenchmarkLogger(b *testing.B) {
	for _, format := range []Format{Text, JSON, Journal} {
		b.Run(string(format), func(b *testing.B) {
			l, err := New(Options{Format: format, Out: io.Discard, Send: func(string, int, map[string]string) error { return nil }})
			if err != nil {
				b.Fatal(err)
			}
			e := l.WithFields(logrus.Fields{"run_id": "run_7f3a", "host": "api.github.com:443", "status": 200})
			b.ReportAllocs()
			for b.Loop() {
				e.Info("request done")
			}
		})
	}
}
