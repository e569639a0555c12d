package moatd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/tasks"
)

// within starts the parts of a daemon, changed before, and returns them once it is
// ready. They end with the test.
func within(tb testing.TB, change func(*parts)) (*parts, *strings.Builder) {
	tb.Helper()
	home, err := os.MkdirTemp("", "moat") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(home) })
	s := config.Defaults(home, "")
	s.ProxyAddr, s.RoutingAddr, s.LogFormat = "127.0.0.1:0", "127.0.0.1:0", "text"
	ready := make(chan Addresses, 1)
	log := new(strings.Builder) // written by one goroutine at a time; read at the end
	ctx, cancel := context.WithCancel(context.Background())
	d, err := open(ctx, Options{Settings: s, Stderr: log, Ready: func(a Addresses) { ready <- a }})
	if err != nil {
		tb.Fatal(err)
	}
	change(d)
	ended := make(chan error, 1)
	go func() { ended <- tasks.Run(ctx, d.tasks()...) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
		d.close()
	})
	<-ready
	return d, log
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
	d, _ := within(b, func(*parts) {})
	c := d.checkup()
	for b.Loop() {
		if err := c.run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

