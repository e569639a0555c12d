package moatd

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/tasks"
)

// opened returns the parts of a daemon of which none runs.
func opened(tb testing.TB, log io.Writer) *parts {
	tb.Helper()
	home, err := os.MkdirTemp("", "moat") //nolint:usetesting // tb.TempDir is too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(home) })
	s := config.Defaults(home, "")
	s.ProxyAddr, s.RoutingAddr, s.LogFormat = "127.0.0.1:0", "127.0.0.1:0", "text"
	d, err := open(tb.Context(), Options{Settings: s, Stderr: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.close() })
	return d
}

// lines are a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf strings.Builder // guarded by mu
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestSlept(t *testing.T) {
	for _, tt := range []struct {
		name              string
		wall, awake, want time.Duration
	}{
		{"both clocks went on", 10 * time.Second, 10 * time.Second, 0},
		{"a clock that is corrected is no sleep", 15 * time.Second, 10 * time.Second, 0},
		{"a night", 8*time.Hour + 10*time.Second, 10 * time.Second, 8 * time.Hour},
		{"a busy machine, on which the look came late", time.Minute, time.Minute, 0},
		{"a clock that was set back", -time.Hour, 10 * time.Second, 0},
	} {
		if got := slept(tt.wall, tt.awake); got != tt.want {
			t.Errorf("%s: slept(%v, %v) = %v, want %v", tt.name, tt.wall, tt.awake, got, tt.want)
		}
	}
}

func TestTheClocksOfTheMachineGoTogether(t *testing.T) {
	clock := systemClock()
	wall, awake := clock()
	for range 1000 {
		nowWall, nowAwake := clock()
		if d := slept(nowWall.Sub(wall), nowAwake-awake); d != 0 || nowAwake < awake {
			t.Fatalf("the clocks say that the machine slept for %v between two looks", d)
		}
		wall, awake = nowWall, nowAwake
	}
}

func TestExecutable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "moatd")
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put("moatd", "old")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	e := executable{path, info}
	for _, step := range []struct {
		name   string
		change func()
		want   bool
	}{
		{"nothing has changed", func() {}, false},
		{"it is gone, as in the middle of an upgrade", func() { os.Rename(path, path+".old") }, false},
		{"another file is there", func() { put("moatd", "new") }, true},
		{"the old one is back", func() { os.Rename(path+".old", path) }, false},
		{"another one took its place at once", func() { put("new", "new"); os.Rename(filepath.Join(dir, "new"), path) }, true},
	} {
		step.change()
		if got := e.changed(); got != step.want {
			t.Errorf("%s: changed = %t, want %t", step.name, got, step.want)
		}
	}
	if (executable{}).changed() || (executable{path: path}).changed() {
		t.Error("an executable that is not known has changed")
	}
}

func TestOwnExecutableIsNamedAsItWasCalled(t *testing.T) {
	real := ownExecutable("moatd.test")
	if real.path == "" || real.changed() {
		t.Fatalf("own executable %q, changed %t; want one that has not", real.path, real.changed())
	}
	link := filepath.Join(t.TempDir(), "moatd")
	if err := os.Symlink(real.path, link); err != nil {
		t.Fatal(err)
	}
	e := ownExecutable(link)
	if e.path != link {
		t.Errorf("called by a link: %q, want %q", e.path, link)
	}
	os.Remove(link)
	os.Symlink("/bin/sh", link)
	if !e.changed() {
		t.Error("the link leads to another file, and changed = false")
	}
	if e := ownExecutable("/bin/sh"); e.path != real.path {
		t.Errorf("called by the name of another: %q, want %q", e.path, real.path)
	}
}

func TestBoundIsWhatHasAnAddress(t *testing.T) {
	none := activation.ListenLater(nil, nil)
	if got := bound(nil); got != nil {
		t.Errorf("bound(nil) = %v", got)
	}
	d := &parts{proxies: append(bound(nil), none)}
	if got := bound(d.proxies); len(got) != 0 || portOf(d.proxies) != 0 {
		t.Errorf("bound = %v, port %d; want nothing", got, portOf(d.proxies))
	}
}

func BenchmarkCheckup(b *testing.B) {
	d := opened(b, io.Discard)
	ready, ended := make(chan struct{}), make(chan error, 1)
	d.opts.Ready = func(Addresses) { close(ready) }
	ctx, cancel := context.WithCancel(b.Context())
	go func() { ended <- tasks.Run(ctx, d.tasks()...) }()
	<-ready
	c := d.checkup()
	for b.Loop() {
		if err := c.run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

func TestASleepIsNoticedOnce(t *testing.T) {
	var log lines
	d := opened(t, &log)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var asleep atomic.Int64
		d.clock = func() (time.Time, time.Duration) {
			return time.Now().Add(time.Duration(asleep.Load())), time.Since(start)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.attend(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if log := log.String(); strings.Contains(log, "slept") {
			t.Errorf("after an hour awake the log says:\n%s", log)
		}
		asleep.Store(int64(8 * time.Hour))
		time.Sleep(time.Hour)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("attend = %v, want nil", err)
		}
	})
	if log := log.String(); strings.Count(log, "the machine slept") != 1 || !strings.Contains(log, "slept=8h0m0s") {
		t.Errorf("after a night the log does not say once that the machine slept 8h:\n%s", log)
	}
}

func TestAnUpgradeIsToldInTheStatus(t *testing.T) {
	var log lines
	d := opened(t, &log)
	d.exe.path = filepath.Join(t.TempDir(), "moatd") // of which none is there yet
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.attend(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if status := d.status(); len(d.news) != 0 || strings.Contains(status, "installed") {
			t.Errorf("before: status %q, told anew %d times; want nothing of it", status, len(d.news))
		}
		if err := os.WriteFile(d.exe.path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if status := d.status(); len(d.news) != 1 || !strings.HasSuffix(status, "; another moatd is installed: moat daemon restart") {
			t.Errorf("after an upgrade: status %q, told anew %d times; want it told", status, len(d.news))
		}
		cancel()
		<-ended
	})
	if n := strings.Count(log.String(), "another moatd is installed"); n != 1 {
		t.Errorf("the log says so %d times, want once:\n%s", n, log.String())
	}
	var h daemon.HealthResponse
	d.vitals(&h)
	if h.Exe != d.exe.path || !h.ExeChanged || h.FDLimit < 64 || h.FDOpen < 5 || h.FDOpen > h.FDLimit {
		t.Errorf("vitals: %+v, want the executable, that it has changed, and its descriptors", h)
	}
}
