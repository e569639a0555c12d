package doctor

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRunWaitsForNoCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		checks := []Check{
			{"slow", "a", func(context.Context) Verdict { <-time.After(9 * time.Second); return ok("slow") }},
			{"stuck", "a", func(context.Context) Verdict { <-release; return ok("never") }},
			{"polite", "b", func(ctx context.Context) Verdict { <-ctx.Done(); return fail("x", "waited for y") }},
		}
		start := time.Now()
		got := Run(t.Context(), checks, 10*time.Second)
		want := []Result{
			{"slow", "a", Verdict{Status: OK, Detail: "slow"}},
			{"stuck", "a", Verdict{Status: Fail, Detail: "the check does not end within 10s: what it looks at hangs"}},
			{"polite", "b", Verdict{Status: Fail, Detail: "waited for y", Fix: "x"}},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Run (-want +got):\n%s", d)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("Run took %v, want 11 s at most: the checks run at the same time", took)
		}
	})
}

func TestWorst(t *testing.T) {
	for _, tt := range []struct {
		name string
		of   []Status
		want Status
	}{
		{"nothing was looked at", nil, OK},
		{"what does not apply is no fault", []Status{Skip, Skip}, OK},
		{"a warning among others", []Status{OK, Warn, Skip}, Warn},
		{"a fault among warnings", []Status{Warn, Fail, OK}, Fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var results []Result
			for _, s := range tt.of {
				results = append(results, Result{Verdict: Verdict{Status: s}})
			}
			if got := Worst(results); got != tt.want {
				t.Errorf("Worst(%v) = %s, want %s", tt.of, got, tt.want)
			}
		})
	}
}

func TestAll(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, tt := range []struct {
		name string
		of   []Verdict
		want Verdict
	}{
		{"all in order is the first", []Verdict{ok("a"), ok("b")}, ok("a")},
		{"one fault", []Verdict{ok("a"), fail("x", "b")}, fail("x", "b")},
		{"a fault and a warning", []Verdict{warn("y", "c").since(at), fail("x", "b")}, fail("y && x", "c; b").since(at)},
		{"one command for two", []Verdict{warn("x", "b"), warn("x", "c")}, warn("x", "b; c")},
		{"no command for one", []Verdict{warn("", "b"), warn("x", "c")}, warn("x", "b; c")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, all(tt.of...)); d != "" {
				t.Errorf("all(%v) (-want +got):\n%s", tt.of, d)
			}
		})
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"/home/a/.moat", "a b", "it's", "$HOME", "", "a\nb", "~", "-x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if strings.ContainsRune(path, 0) {
			return // no path
		}
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+quote(path)).Output()
		if err != nil || string(out) != path {
			t.Errorf("a shell reads %q as %q (%v), want %q", quote(path), out, err, path)
		}
	})
}
