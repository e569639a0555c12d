package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLines_keepsAStackWithItsEntry(t *testing.T) {
	lines := strings.SplitAfter(`time="2026-11-25T02:00:00Z" level=info msg=a run_id=run_1
time="2026-11-25T03:00:00Z" level=error msg=b run_id=run_2
goroutine 1 [running]:
time="2026-11-25T04:00:00Z" level=info msg=c
`, "\n")
	for _, tt := range []struct {
		name, run, since, want string
	}{
		{"all", "", "", strings.Join(lines, "")},
		{"a run", "run_2", "", lines[1] + lines[2]},
		{"since", "", "2026-11-25T02:30:00Z", lines[1] + lines[2] + lines[3]},
		{"a run since", "run_1", "2026-11-25T02:30:00Z", ""},
	} {
		since, err := parseSince(tt.since)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, l := range parseLines(lines[:4], tt.run, since) {
			got.WriteString(l.text)
		}
		if diff := cmp.Diff(tt.want, got.String()); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tt.name, diff)
		}
	}
}
