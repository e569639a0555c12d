package logging

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// logFile returns a file that is open as launchd opens one.
func logFile(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moatd.log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, path, os.O_WRONLY|os.O_APPEND)
}

func open(t *testing.T, path string, flag int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLimit_emptiesTheFileAndKeepsOneOld(t *testing.T) {
	f := logFile(t, "before\n")
	w := limit(f, 10, "/nowhere", f.Name())
	for _, tt := range []struct{ write, file, old string }{
		{"one\n", "before\none\n", ""},
		{"two\n", "two\n", "before\none\n"},
		{"three\n", "two\nthree\n", "before\none\n"},
		{"a line that is longer than that\n", "a line that is longer than that\n", "two\nthree\n"},
		{"four\n", "four\n", "a line that is longer than that\n"},
	} {
		if n, err := io.WriteString(w, tt.write); err != nil || n != len(tt.write) {
			t.Fatalf("Write(%q) = %d, %v", tt.write, n, err)
		}
		if got := read(t, f.Name()); got != tt.file {
			t.Errorf("after %q the file is %q, want %q", tt.write, got, tt.file)
		}
		if tt.old != "" {
			if got := read(t, f.Name()+".old"); got != tt.old {
				t.Errorf("after %q the old one is %q, want %q", tt.write, got, tt.old)
			}
		}
	}
	if info, err := os.Stat(f.Name() + ".old"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the old one has mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestLimit_leavesOtherWritersAlone(t *testing.T) {
	f := logFile(t, "")
	pipe, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer other.Close()
	for name, w := range map[string]io.Writer{
		"a buffer":                               new(bytes.Buffer),
		"a pipe":                                 other,
		"a file that is not open for appending":  open(t, f.Name(), os.O_WRONLY),
		"a file elsewhere":                       logFile(t, ""),
		"a file that was closed":                 closed(t),
		"a file whose name is another's by now ": renamed(t),
	} {
		if got := limit(w, 1, f.Name()); got != w {
			t.Errorf("%s: a writer of its own, %T", name, got)
		}
	}
}

func closed(t *testing.T) *os.File {
	t.Helper()
	f := logFile(t, "")
	f.Close()
	return f
}

func renamed(t *testing.T) *os.File {
	t.Helper()
	f := logFile(t, "")
	if err := os.Rename(f.Name(), f.Name()+".1"); err != nil {
		t.Fatal(err)
	}
	return f
}

// A log that cannot be emptied goes on all the same.
func TestLimit_whereThereCanBeNoOldOne(t *testing.T) {
	f := logFile(t, "before\n")
	if err := os.Mkdir(f.Name()+".old", 0o700); err != nil {
		t.Fatal(err)
	}
	w := limit(f, 5, f.Name())
	if _, err := io.WriteString(w, "after\n"); err != nil {
		t.Fatal(err)
	}
	got := read(t, f.Name())
	if !strings.HasPrefix(got, "before\nthe log is not emptied: ") || !strings.HasSuffix(got, "\nafter\n") {
		t.Errorf("the file is %q, want all of it, and why", got)
	}
}

func TestLimit_concurrentWritersLoseNothing(t *testing.T) {
	f := logFile(t, "")
	w := limit(f, 600, f.Name()) // less than all, more than half
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range 10 {
				if _, err := io.WriteString(w, "0123456789\n"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := strings.Count(read(t, f.Name()+".old")+read(t, f.Name()), "0123456789\n"); got != 100 {
		t.Errorf("%d lines, want 100", got)
	}
}

func TestLimit(t *testing.T) {
	f := logFile(t, "")
	if _, ok := Limit(f, f.Name()).(*limitedFile); !ok {
		t.Error("Limit of the log did not limit it")
	}
}
