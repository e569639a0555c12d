package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stat returns a line as in /proc/PID/stat with this name, state and start.
func stat(name, state, start string) string {
	return fmt.Sprintf("42 (%s) %s %s%s 0 0\n", name, state, strings.Repeat("7 ", startField-1), start)
}

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		name, stat string
		want       uint64
		ok         bool
	}{
		{"an ordinary process", stat("moatd", "S", "123"), 123, true},
		{"a name with spaces and parentheses", stat("a) R (b 1 2) (", "S", "123"), 123, true},
		{"a name with a line break", stat("a\nb", "R", "18446744073709551615"), 18446744073709551615, true},
		{"a zombie", stat("moatd", "Z", "123"), 0, false},
		{"a process that is being taken down", stat("moatd", "X", "123"), 0, false},
		{"a start that is no number", stat("moatd", "S", "-1"), 0, false},
		{"nothing", "", 0, false},
		{"too few fields", "42 (moatd) S 1 2 3", 0, false},
		{"no name", strings.Repeat("7 ", 40), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := parseStat([]byte(tt.stat)); got != tt.want || (err == nil) != tt.ok {
				t.Errorf("parseStat(%q) = %d, %v; want %d, ok %t", tt.stat, got, err, tt.want, tt.ok)
			}
		})
	}
}

func TestAProcessWithAnOddName(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep: ", err)
	}
	odd := filepath.Join(t.TempDir(), "x) Z (1 2")
	if err = os.Symlink(sleep, odd); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(odd, "60")
	child.Args[0] = "sleep" // for one that is many programs in one
	if err = child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	self, err := processOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	got, err := processOf(child.Process.Pid)
	if err != nil || got.boot != self.boot || got.start < self.start {
		t.Errorf("processOf(child) = %+v, %v; want the boot of %+v and a later start", got, err, self)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("moatd", uint64(1), "")
	f.Add("a) R (b", uint64(123), "x")
	f.Fuzz(func(t *testing.T, name string, start uint64, junk string) {
		if got, err := parseStat([]byte(stat(name, "S", fmt.Sprint(start)))); err != nil || got != start {
			t.Errorf("parseStat(name %q, start %d) = %d, %v", name, start, got, err)
		}
		_, _ = parseStat([]byte(junk)) // must not panic
	})
}
