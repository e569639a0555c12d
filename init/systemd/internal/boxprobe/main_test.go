//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// all starts this program anew, as boxprobe.
func TestMain(m *testing.M) {
	if os.Getenv("BOXPROBE_TEST") != "" {
		os.Exit(run(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		args string
		want int
	}{
		{"what can be done is done", "write DIR/file", done},
		{"what is not there counts as hidden", "read DIR/none", refused},
		{"an effect that is missing is a refusal", "am-able", boolCode(os.Geteuid() == 0)},
		{"a file that others can read", "public-file DIR/public", done},
		{"a set-uid program", "set-uid DIR/suid", done},
		{"a directory made, and removed", "mkdir DIR/sub", done},
		{"a file of ours given to us", "chown DIR/file", done},
		{"a mistake says nothing of a confinement", "public-file DIR/file", usage},
		{"no such attempt", "fly", usage},
		{"too few arguments", "read", usage},
		{"no number", "trace me", usage},
		{"nothing at all", "", usage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(strings.ReplaceAll(tt.args, "DIR", dir))
			if got := run(args, io.Discard); got != tt.want {
				t.Errorf("boxprobe %s: exit %d, want %d", tt.args, got, tt.want)
			}
		})
	}
}

func boolCode(ok bool) int {
	if ok {
		return done
	}
	return refused
}

func TestAll(t *testing.T) {
	t.Setenv("BOXPROBE_TEST", "1")
	file := filepath.Join(t.TempDir(), "result")
	if got := run(strings.Fields("all "+file+" nothing , read /none , fly"), io.Discard); got != done {
		t.Fatalf("boxprobe all: exit %d", got)
	}
	got, err := os.ReadFile(file)
	if want := "0 nothing\n10 read /none\n64 fly\n"; err != nil || string(got) != want {
		t.Errorf("boxprobe all wrote %q, %v; want %q", got, err, want)
	}
}
