package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseShow(t *testing.T) {
	// As systemctl 252 prints it, with --timestamp=unix.
	const text = `Id=moatd.socket
LoadState=loaded
Listen=/run/user/1000/moat/moatd.sock (Stream)
StateChangeTimestamp=@1700000000

Id=moatd-proxy.socket
Listen=127.0.0.1:19080 (Stream)
Listen=[fd00::1]:19080 (Stream)

Id=moatd.service
ExecStart={ path=/opt/a ; b/moatd ; argv[]=/opt/a ; b/moatd serve ; ignore_errors=no ; start_time=[@1] ; status=0/0 }
StatusText=serving 1 runs; a=b
MainPID=0
StateChangeTimestamp=
`
	units := parseShow(text)
	if len(units) != 3 {
		t.Fatalf("parseShow: %d units, want 3: %v", len(units), units)
	}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"a name", units[0].get("Id"), "moatd.socket"},
		{"a property that is missing", units[0].get("MainPID"), ""},
		{"a time", units[0].time("StateChangeTimestamp"), time.Unix(1700000000, 0)},
		{"a time that never was", units[2].time("StateChangeTimestamp"), time.Time{}},
		{"a path", units[0].listen(), []string{"/run/user/1000/moat/moatd.sock"}},
		{"several addresses", units[1].listen(), []string{"127.0.0.1:19080", "[fd00::1]:19080"}},
		{"an executable with a semicolon", units[2].exe(), "/opt/a ; b/moatd"},
		{"no executable", units[1].exe(), ""},
		{"a text with an equals sign", units[2].get("StatusText"), "serving 1 runs; a=b"},
		{"a number", units[2].number("MainPID"), 0},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tt.name, diff)
		}
	}
}

// Property: each line NAME=VALUE is found again, in its unit and in its order, and
// nothing else is.
func FuzzParseShow(f *testing.F) {
	for _, text := range []string{"Id=a\nB=c=d\n\nId=b\n", "\n\n\n", "=", "no", "A=1\nA=2", "A=\r\n\x00=\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		units := parseShow(text)
		at, count, total := 0, map[string]int{}, 0
		for _, u := range units {
			for _, values := range u {
				total += len(values)
			}
		}
		fresh := true
		for line := range strings.SplitSeq(text, "\n") {
			if line == "" {
				fresh = true
				continue
			}
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				continue
			}
			if fresh && len(count) > 0 {
				at, count = at+1, map[string]int{}
			}
			fresh = false
			if at >= len(units) || len(units[at][name]) <= count[name] || units[at][name][count[name]] != value {
				t.Fatalf("parseShow(%q) = %v: %q is not in unit %d", text, units, line, at)
			}
			count[name]++
			total--
		}
		if total != 0 {
			t.Errorf("parseShow(%q) = %v: %d values that are not in the text", text, units, total)
		}
	})
}

func TestSection(t *testing.T) {
	const text = "# comment\n[Unit]\nA=1\n\n[Socket]\nListenStream=1\n; no\n  Backlog=2  \n[Install]\nB=3\n[Socket]\nC=4"
	if got, want := section(text, "Socket"), "ListenStream=1\nBacklog=2\nC=4"; got != want {
		t.Errorf("section = %q, want %q", got, want)
	}
}
