package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// manager is a service manager that only listens.
func manager(tb testing.TB) (addr string, next func() string) {
	tb.Helper()
	addr = filepath.Join(shortDir(tb), "n")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return addr, func() string {
		tb.Helper()
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			tb.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil {
			tb.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestNotifierDatagrams(t *testing.T) {
	addr, next := manager(t)
	t.Setenv("NOTIFY_SOCKET", addr)
	n := NewNotifier()
	if v, set := os.LookupEnv("NOTIFY_SOCKET"); set {
		t.Errorf("NOTIFY_SOCKET = %q after NewNotifier, want it unset", v)
	}
	tests := []struct {
		name string
		tell func() error
		want string // a regular expression for all of it
	}{
		{"ready", func() error { return n.Ready("serving 3 runs") }, "READY=1\nSTATUS=serving 3 runs"},
		{"ready without a word", func() error { return n.Ready("") }, "READY=1\nSTATUS="},
		{"status", func() error { return n.Status("draining 2") }, "STATUS=draining 2"},
		{"a status cannot smuggle an assignment", func() error { return n.Status("a\nMAINPID=1\r\x00b") }, "STATUS=a MAINPID=1  b"},
		{"a status that is not UTF-8", func() error { return n.Status("a\xffb") }, "STATUS=a\uFFFDb"},
		{"stopping", func() error { return n.Stopping("bye", 2*time.Second) }, "STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000\nSTATUS=bye"},
		{"failed", func() error { return n.Failed(errors.New("no\nhome")) }, "STATUS=no home"},
		{"failed in the system", func() error { return n.Failed(fmt.Errorf("open x: %w", syscall.EACCES)) }, "ERRNO=13\nSTATUS=open x: permission denied"},
		{"reloading, in one datagram", n.Reloading, "RELOADING=1\nMONOTONIC_USEC=[0-9]+"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.tell(); err != nil {
				t.Fatal(err)
			}
			if got := next(); !regexp.MustCompile(`\A(?:` + tt.want + `)\z`).MatchString(got) {
				t.Errorf("datagram = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNotifierWithoutAManagerDoesNothing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "3000000") // of a manager above ours
	for name, n := range map[string]*Notifier{"nil": nil, "zero": {}, "new": NewNotifier()} {
		err := errors.Join(n.Ready("x"), n.Status("x"), n.Stopping("x", 0), n.Failed(errors.New("x")), n.Reloading())
		if err != nil || n.WatchdogInterval() != 0 {
			t.Errorf("%s: errors %v, watchdog %v; want none", name, err, n.WatchdogInterval())
		}
	}
}

func TestNotifierReadsTheWatchdog(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	tests := []struct {
		name, usec, pid string
		want            time.Duration
		bad             string
	}{
		{"not set", "", "", 0, ""},
		{"for us", "30000000", pid, 30 * time.Second, ""},
		{"for whoever it is", "30000000", "", 30 * time.Second, ""},
		{"for another process", "30000000", "1", 0, ""},
		{"not a number", "soon", pid, 0, "watchdog: "},
		{"negative", "-1", pid, 0, "watchdog: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", "/nowhere")
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			n := NewNotifier()
			if got := n.WatchdogInterval(); got != tt.want {
				t.Errorf("WatchdogInterval = %v, want %v", got, tt.want)
			}
			if _, set := os.LookupEnv("WATCHDOG_USEC"); set {
				t.Error("WATCHDOG_USEC is still set")
			}
			if tt.bad == "" {
				return
			}
			if err := n.Watchdog(t.Context(), nil); err == nil || !strings.HasPrefix(err.Error(), tt.bad) {
				t.Errorf("Watchdog = %v, want %q", err, tt.bad)
			}
		})
	}
}

func TestNotifierReportsAManagerThatIsGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(shortDir(t), "none"))
	err := NewNotifier().Ready("secret plans")
	if err == nil || !strings.HasPrefix(err.Error(), "send READY to the service manager: ") || strings.Contains(err.Error(), "plans") {
		t.Errorf("Ready = %v, want an error without the status", err)
	}
}

func FuzzStatusIsOneLine(f *testing.F) {
	for _, s := range []string{"", "serving", "a\nREADY=1", "\xff\r\x00", "é\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		n := &Notifier{send: func(state string) error { got = state; return nil }}
		if err := n.Status(s); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got, "STATUS=") || strings.ContainsAny(got, "\n\r\x00") || !utf8.ValidString(got) {
			t.Errorf("Status(%q) sends %q", s, got)
		}
	})
}

func BenchmarkNotifierStatus(b *testing.B) {
	addr, next := manager(b)
	b.Setenv("NOTIFY_SOCKET", addr)
	n := NewNotifier()
	for b.Loop() {
		if err := n.Status("serving 3 runs"); err != nil {
			b.Fatal(err)
		}
		next()
	}
}
