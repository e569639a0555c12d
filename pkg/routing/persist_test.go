package routing

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var childDir = flag.String("routing.child", "", "directory of the table that TestChildProcess writes, for another test")

// TestChildProcess is not a test: another test starts it as a process of its own,
// which adds agents without an end and prints each once it has been added.
func TestChildProcess(t *testing.T) {
	if *childDir == "" {
		t.Skip("runs only as a child of another test")
	}
	table, err := Open(openFile(t, filepath.Join(*childDir, "moatd.db")))
	if err != nil {
		t.Fatal(err)
	}
	first := 0 // the last of the child before, which may have died in the middle of it
	for _, name := range table.Agents() {
		if strings.HasPrefix(name, "agent-") {
			first++
		}
	}
	for i := max(0, first-1); ; i++ {
		add(t, table, fmt.Sprintf("agent-%d", i), "web", "127.0.0.1:3000")
		if err := table.Put(fmt.Sprintf("gone-%d", i), Routes{map[string]string{"web": "h:1"}, fmt.Sprintf("run_%d", i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := table.RemoveRun(fmt.Sprintf("run_%d", i)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("added", i)
	}
}

func TestWhatWasAddedSurvivesAKill(t *testing.T) {
	dir, total := t.TempDir(), 0
	for range 5 {
		child := exec.Command(os.Args[0], "-test.run=^TestChildProcess$", "-routing.child="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err = child.Start(); err != nil {
			t.Fatal(err)
		}
		last := ""
		lines := bufio.NewScanner(out)
		for i := 0; i < 10 && lines.Scan(); i++ {
			last = lines.Text()
		}
		child.Process.Kill()
		for lines.Scan() { // what it had printed before it died
			last = lines.Text()
		}
		child.Wait()
		if _, err = fmt.Sscanf(last, "added %d", &total); err != nil {
			t.Fatalf("the child said %q", last)
		}
		st := openFile(t, filepath.Join(dir, "moatd.db"))
		table, err := Open(st)
		if err != nil || len(table.Problems()) != 0 {
			t.Fatalf("Open = %v, problems %v", err, table.Problems())
		}
		for i := range total + 1 {
			if _, ok := table.Lookup(fmt.Sprintf("agent-%d", i), "web"); !ok {
				t.Errorf("agent-%d was added and is gone after the kill", i)
			}
			if _, ok := table.Lookup(fmt.Sprintf("gone-%d", i), "web"); ok {
				t.Errorf("gone-%d was removed with its run and is there after the kill", i)
			}
		}
		st.Close()
	}
}

func TestNewRouteTableKeepsItsRoutesInItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	table, err := NewRouteTable(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a table that nothing was added to has made %s: %v", dir, err)
	}
	add(t, table, "a", "web", "h:1")
	add(t, table, "b", "web", "h:2", "api", "h:3")
	if err = table.Put("c", Routes{map[string]string{"web": "h:4"}, "run_1"}); err != nil {
		t.Fatal(err)
	}
	if err = table.Remove("a"); err != nil {
		t.Fatal(err)
	}
	other, err := NewRouteTable(dir) // while the first lives: the file is open only when it is used
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Routes{
		"b": {map[string]string{"web": "h:2", "api": "h:3"}, ""},
		"c": {map[string]string{"web": "h:4"}, "run_1"},
	}
	if diff := cmp.Diff(want, routesOf(other)); diff != "" {
		t.Errorf("routes after a reopen (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(dir, "routes.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("routes.db: %v, %v, want mode 0600", info, err)
	}
}

func TestOneBadRecordDoesNotStopTheOthers(t *testing.T) {
	m := &memory{recs: map[string]string{
		"good":     `{"v":1,"services":{"web":"h:1"},"from the future":true}`,
		"old":      `{"services":{"web":"h:2"}}`,
		"newer":    `{"v":2,"services":{"web":"h:3"}}`,
		"no-json":  `{"v":1,"services"`,
		"bad name": `{"v":1,"services":{"web":"h:4"}}`,
		"bad-addr": `{"v":1,"services":{"web":"h"}}`,
		"empty":    `{}`,
	}}
	table, err := Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.Agents(); !slices.Equal(got, []string{"good", "old"}) {
		t.Errorf("Agents() = %v, want good and old", got)
	}
	told := errors.Join(table.Problems()...).Error()
	for _, want := range []string{
		`"newer": the record has version 2, written by a newer moatd`, `"no-json": the record is no JSON`,
		`"bad name": bad route`, `"bad-addr": bad route`, `"empty": bad route: agent empty has no services`,
	} {
		if !strings.Contains(told, want) {
			t.Errorf("Problems() = %s, want %q among them", told, want)
		}
	}
	if len(m.recs) != 7 {
		t.Errorf("%d records are left on disk, want all 7", len(m.recs))
	}
	if err := table.Remove("newer"); err != nil || m.recs["newer"] != "" {
		t.Errorf("Remove(newer) = %v, record %q; want it gone", err, m.recs["newer"])
	}
}

func TestOldRoutesAreTakenOver(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		want       []string // agents, beside "have"
		says       string   // in the error
		imported   bool
	}{
		{"all of them", `{"a":{"web":"127.0.0.1:1"},"b":{"web":"h:2","db":"h:3"}}`, []string{"a", "b"}, "", true},
		{"but none that was registered anew", `{"have":{"web":"h:9"}}`, nil, "", true},
		{"those that are routes, and the others are named", `{"a":{"web":"127.0.0.1:1"},"b c":{"web":"h:2"}}`, []string{"a"}, `old routes of "b c"`, true},
		{"nothing of an empty object", `{}`, nil, "", true},
		{"nothing of what is no JSON, which stays", `oops`, nil, "no JSON of agents and services", false},
		{"nothing of another shape, which stays", `["a"]`, nil, "no JSON of agents and services", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "routes.json")
			if err := os.WriteFile(path, []byte(tt.json), 0o600); err != nil {
				t.Fatal(err)
			}
			table, _ := newTable(t)
			add(t, table, "have", "web", "h:1")
			err := table.Import(dir)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Import = %v, want %q", err, tt.says)
			}
			if got := table.Agents(); !slices.Equal(got, append(tt.want, "have")) {
				t.Errorf("Agents() = %v, want have and %v", got, tt.want)
			}
			if addr, _ := table.LookupDefault("have"); addr != "h:1" {
				t.Errorf("LookupDefault(have) = %s, want h:1 as before", addr)
			}
			if _, err := os.Stat(path + ".imported"); (err == nil) != tt.imported {
				t.Errorf("routes.json.imported: %v, want it there: %t", err, tt.imported)
			}
			if err := table.Import(dir); tt.imported && err != nil {
				t.Errorf("a second Import = %v, want nil", err)
			}
		})
	}
}

func TestOldRoutesStayWhereTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "routes.json")
	if err := os.WriteFile(path, []byte(`{"a":{"web":"h:1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	table, m := newTable(t)
	m.fail(errors.New("disk full"))
	if err := table.Import(dir); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("Import = %v, want disk full", err)
	}
	m.fail(nil)
	if err := table.Import(dir); err != nil || len(table.Agents()) != 1 {
		t.Errorf("Import, once there is room = %v, agents %v; want a", err, table.Agents())
	}
}
