package store_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moatd/moatd/pkg/internal/store"
)

var childDB = flag.String("store.child", "", "path of the database that TestChildProcess writes, for other tests")

// TestChildProcess is not a test: other tests start it as a process of its own.
// It stores runs from four goroutines, without an end, and prints the id of each
// when it has been acknowledged.
func TestChildProcess(t *testing.T) {
	if *childDB == "" {
		t.Skip("runs only as a child of other tests")
	}
	s, rec, err := store.Open(*childDB, store.Options{})
	if err != nil || rec != (store.Recovery{}) {
		t.Fatal(rec, err)
	}
	boot, err := s.CountBoot()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("run_%d_%d_%d", boot, w, i)
				if err := s.PutRun(id, value(id)); err != nil {
					t.Error(err)
					return
				}
				fmt.Println(id)
			}
		})
	}
	wg.Wait()
}

// value is what the child stores for a run.
func value(id string) []byte { return []byte(strings.Repeat(id+" ", 20)) }

// startChild starts a process that writes the database at path. Its lines come
// over the reader.
func startChild(t *testing.T, path string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^TestChildProcess$", "-store.child="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Process.Kill() })
	return child, bufio.NewReader(out)
}

// killAfter reads n lines, kills the child and returns all that it printed.
func killAfter(t *testing.T, child *exec.Cmd, out *bufio.Reader, n int) []string {
	t.Helper()
	var lines []string
	for {
		line, err := out.ReadString('\n')
		if errors.Is(err, io.EOF) { // a line that is cut was not printed in full
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSpace(line))
		if len(lines) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(lines) < n {
		t.Fatalf("the child ended by itself, after %q", lines)
	}
	return lines
}

func TestWhatIsAcknowledgedSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	acked := map[string]bool{}
	for round := range 10 {
		child, out := startChild(t, path)
		for _, id := range killAfter(t, child, out, 1+round*17) {
			acked[id] = true
		}
		s := mustOpen(t, path)
		recs, err := s.Runs()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, r := range recs {
			if string(r.Val) != string(value(r.ID)) {
				t.Errorf("round %d: run %s has the value %q", round, r.ID, r.Val)
			}
			if acked[r.ID] {
				found++
			}
		}
		if found != len(acked) {
			t.Errorf("round %d: %d of %d acknowledged runs are there", round, found, len(acked))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherProcessHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	child, out := startChild(t, path)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Open(path, store.Options{LockWait: -1}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Open while the child has the file = %v, want ErrLocked", err)
	}
	killAfter(t, child, out, 1)
	mustOpen(t, path)
}

func TestProcessesThatFindDamageAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	if err := os.WriteFile(path, []byte("damage"), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 { // flock tells apart the files that one process has open, too
		wg.Go(func() {
			s, _, err := store.Open(path, store.Options{LockWait: 1e10})
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.PutRun(fmt.Sprint("run_", i), nil), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	recs, err := mustOpen(t, path).Runs()
	if len(recs) != 8 || err != nil {
		t.Errorf("%d runs, %v; want those of all 8", len(recs), err)
	}
	if kept, _ := filepath.Glob(path + ".corrupt-*"); len(kept) != 1 {
		t.Errorf("the damaged file was moved aside as %v, want once", kept)
	}
}
