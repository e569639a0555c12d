package daemon

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestSpeaks(t *testing.T) {
	for _, tt := range []struct {
		name     string
		min, max int // of the daemon, as in health
		want     string
	}{
		{"a daemon from before the fields", 0, 0, ""},
		{"a daemon from before the range", 0, 1, ""},
		{"the same", 1, 1, ""},
		{"a newer daemon that still speaks ours", 1, 7, ""},
		{"a daemon that has given ours up", 2, 7, "this moat speaks 1, the daemon 2 to 7; upgrade moat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&HealthResponse{APIMin: tt.min, API: tt.max}).Speaks()
			if (tt.want == "") != (err == nil) {
				t.Fatalf("Speaks of %d to %d = %v, want %q", tt.min, tt.max, err, tt.want)
			}
			if err != nil && (!errors.Is(err, ErrAPI) || !strings.HasSuffix(err.Error(), tt.want)) {
				t.Errorf("Speaks of %d to %d = %v, want ErrAPI and %q", tt.min, tt.max, err, tt.want)
			}
		})
	}
}

func TestAdmits(t *testing.T) {
	for _, tt := range []struct {
		name, said string
		min        int
		want       error
	}{
		{"a client from before the header", "", 1, nil},
		{"a client of today", "1", 1, nil},
		{"a client of the future", "9", 1, nil},
		{"a client that is too old", "1", 2, ErrAPI},
		{"a client that says nothing and is too old", "", 2, ErrAPI},
		{"no number", "one", 1, ErrBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := admits(tt.said, tt.min); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("admits(%q, %d) = %v, want %v", tt.said, tt.min, err, tt.want)
			}
		})
	}
}

func TestADaemonThatGaveTheClientsVersionUp(t *testing.T) {
	s, c := serve(t, Options{})
	s.http.Handler = s.speaking(2, s.routes())
	c = c.WithVersion("v1.0.0")
	if _, err := c.ListRuns(t.Context()); !errors.Is(err, ErrAPI) || !strings.Contains(err.Error(), "upgrade moat") {
		t.Errorf("ListRuns = %v, want ErrAPI with what to do", err)
	}
	if _, err := c.Health(t.Context()); err != nil {
		t.Errorf("Health = %v; a client of any version must learn which ones are spoken", err)
	}
}

func TestTheClientOfARunIsInTheLog(t *testing.T) {
	_, c, _, hook := onDiskWithLog(t, nil)
	if _, err := c.WithVersion("v1.2.3").RegisterRun(t.Context(), RegisterRequest{RunID: "a"}); err != nil {
		t.Fatal(err)
	}
	if e := hook.LastEntry(); e == nil || e.Data["client"] != "v1.2.3" {
		t.Errorf("the log has %v, want the field client with v1.2.3", e)
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "v1.2.3", "v1\r\nX: y", "(devel)", strings.Repeat("x", 65), "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, version string) {
		got := printable(version)
		if got != "" && got != version {
			t.Errorf("printable(%q) = %q, want it as it is or not at all", version, got)
		}
		if strings.ContainsAny(got, "\r\n\x00 ") || len(got) > maxVersion {
			t.Errorf("printable(%q) = %q, which does not fit into a header", version, got)
		}
		r := &http.Request{Header: make(http.Header)}
		(&Client{version: got}).introduce(r)
		if named := r.Header.Get(headerAPI) != ""; named != (got != "") {
			t.Errorf("a client of version %q says which API: %t", got, named)
		}
	})
}
