package supervisor_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func TestLogs(t *testing.T) {
	const probe = "journalctl --lines=1 --quiet --no-pager --output=cat "
	for _, tt := range []struct {
		name   string
		opts   supervisor.LogOptions
		system bool
		fail   string
		want   string // the last command
	}{
		{"all of it", supervisor.LogOptions{}, false, "", "--no-pager --quiet --user --unit=moatd.service"},
		{"the end", supervisor.LogOptions{Lines: 5}, false, "", "--no-pager --quiet --lines=5 --user --unit=moatd.service"},
		{"what comes", supervisor.LogOptions{Follow: true, Lines: 5}, false, "", "--no-pager --quiet --follow --lines=5 --user --unit=moatd.service"},
		{"all of it and what comes", supervisor.LogOptions{Follow: true}, false, "", "--no-pager --quiet --follow --no-tail --user --unit=moatd.service"},
		{"a run, since yesterday", supervisor.LogOptions{Run: "run_1", Since: "yesterday"}, false, "", "--no-pager --quiet --since=yesterday --user --unit=moatd.service MOAT_RUN_ID=run_1"},
		{"the system's", supervisor.LogOptions{}, true, "", "--no-pager --quiet --unit=moatd.service"},
		{"the user's journal cannot be read, all of it can", supervisor.LogOptions{Run: "run_1"}, false, probe + "--user => No journal files were opened due to insufficient permissions.", "--no-pager --quiet _UID=UID _SYSTEMD_USER_UNIT=moatd.service MOAT_RUN_ID=run_1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.opts.System = tt.system
			w.write(filepath.Join(w.fake, "journalctl.out"), "a line\n")
			w.fail(tt.fail)
			var out bytes.Buffer
			tt.opts.Out = &out
			if err := w.sup().Logs(t.Context(), tt.opts); err != nil {
				t.Fatal(err)
			}
			calls := w.calls()
			want := "journalctl " + strings.ReplaceAll(tt.want, "UID=UID", "UID="+uid())
			if got := calls[len(calls)-1]; got != want {
				t.Errorf("the last command is %q, want %q", got, want)
			}
			if out.String() != "a line\n" {
				t.Errorf("Logs wrote %q, want what journalctl printed", &out)
			}
		})
	}
}

func TestLogs_thatCannotBeRead(t *testing.T) {
	for name, prep := range map[string]func(w *world){
		"no permission": func(w *world) { w.fail("journalctl => No journal files were opened due to insufficient permissions.") },
		"nothing there": func(*world) {},
	} {
		w := newWorld(t)
		prep(w)
		var out bytes.Buffer
		err := w.sup().Logs(t.Context(), supervisor.LogOptions{Out: &out})
		if !errors.Is(err, supervisor.ErrNoLog) || !strings.Contains(err.Error(), "/var/log/journal") {
			t.Errorf("%s: %v, want ErrNoLog and what to do", name, err)
		}
		if probes := slices.DeleteFunc(w.calls(), func(c string) bool { return !strings.Contains(c, "--lines=1") }); len(probes) != 2 {
			t.Errorf("%s: probes %q, want two", name, probes)
		}
	}
}

func TestLogs_asJSON(t *testing.T) {
	w := newWorld(t)
	w.write(filepath.Join(w.fake, "journalctl.out"), strings.Join([]string{
		`{"__REALTIME_TIMESTAMP":"1700000000123456","PRIORITY":"4","MESSAGE":"hm","MOAT_RUN_ID":"run_1","_PID":"1"}`,
		`{"__REALTIME_TIMESTAMP":"1700000001000000","PRIORITY":"6","MESSAGE":[104,105,255],"MOAT_HOST":["a","b"],"BIG":null}`,
	}, "\n")+"\n")
	var out bytes.Buffer
	if err := w.sup().Logs(t.Context(), supervisor.LogOptions{Out: &out, JSON: true}); err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2023-11-14T22:13:20.123456Z","level":"warning","message":"hm","fields":{"run_id":"run_1"}}
{"time":"2023-11-14T22:13:21Z","level":"info","message":"hi` + "\uFFFD" + `","fields":{"host":"a"}}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
