package activation

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatalf("ListenUnix(%s) = %v", path, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dead leaves a socket file on which nobody listens, as a kill -9 does.
func dead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func perm(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestListenUnixServesItsOwnerAlone(t *testing.T) {
	defer unix.Umask(unix.Umask(0)) // the loosest there is
	dir := filepath.Join(shortDir(t), "new", "moat")
	path := filepath.Join(dir, "moatd.sock")
	l := listen(t, path)
	if got := perm(t, path); got != 0o600 {
		t.Errorf("mode of the socket = %04o, want 0600", got)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if got := perm(t, d); got != 0o700 {
			t.Errorf("mode of %s = %04o, want 0700", d, got)
		}
	}
	if got := l.Addr().String(); got != path {
		t.Errorf("Addr = %q, want %q", got, path)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	uid, err := PeerUID(s.(*net.UnixConn))
	if err != nil || int(uid) != os.Getuid() {
		t.Errorf("PeerUID of our own connection = %d, %v; want %d", uid, err, os.Getuid())
	}
}

func TestListenUnixRefuses(t *testing.T) {
	dir := shortDir(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	mkdir := func(name string, mode os.FileMode) string {
		if err := errors.Join(os.Mkdir(in(name), 0o700), os.Chmod(in(name), mode)); err != nil {
			t.Fatal(err)
		}
		return in(name)
	}
	if err := os.WriteFile(in("file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	dead(t, in("target"))
	if err := os.Symlink(in("target"), in("link")); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"an empty path", "", "the path is empty"},
		{"an abstract name", "@moatd", "an abstract socket has no permissions"},
		{"a NUL in the path", in("a\x00b"), "an abstract socket"},
		{"104 bytes", "/" + strings.Repeat("x", 103), "the path has 104 bytes, and a socket's at most 103"},
		{"a regular file in the way", in("file"), "a file is there that is not a socket"},
		{"a link to a socket in the way", in("link"), "a file is there that is not a socket"},
		{"a directory in the way", mkdir("d", 0o700), "a file is there that is not a socket"},
		{"a parent that the group can write", filepath.Join(mkdir("g", 0o770), "s"), "others can write the directory"},
		{"a parent with the sticky bit", filepath.Join(mkdir("t", 0o777|os.ModeSticky), "s"), "others can write the directory"},
		{"a parent that is a file", in("file/s"), "make its directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := ListenUnix(t.Context(), tt.path)
			if err == nil {
				l.Close()
				t.Fatalf("ListenUnix(%q) = nil, want an error with %q", tt.path, tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "listen on "+tt.path) {
				t.Errorf("ListenUnix(%q) = %q, want %q in it", tt.path, err, tt.want)
			}
		})
	}
	if b, err := os.ReadFile(in("file")); string(b) != "precious" {
		t.Errorf("the file that was in the way = %q, %v", b, err)
	}
}

func TestListenUnixRefusesTheDirectoryOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a directory for another user")
	}
	dir := shortDir(t)
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	_, err := ListenUnix(t.Context(), filepath.Join(dir, "s"))
	if err == nil || !strings.Contains(err.Error(), "does not belong to the user 0") {
		t.Errorf("ListenUnix in the directory of another = %v, want a refusal", err)
	}
}

func TestListenUnixTakesTheLongestPath(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, strings.Repeat("x", maxPath-len(dir)-1))
	listen(t, path)
	if len(path) != maxPath {
		t.Errorf("the path has %d bytes, want %d", len(path), maxPath)
	}
}

func TestListenUnixReplacesADeadSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	dead(t, path)
	l := listen(t, path)
	go func() {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("Accept on the new socket = %v", err)
	}
	c.Close()
}

func TestListenUnixLeavesALiveDaemonAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	listen(t, path)
	_, err := ListenUnix(t.Context(), path)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("ListenUnix twice = %v, want ErrInUse and the path", err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first listener is gone: %v", err)
	}
	c.Close()
}

func TestListenUnixTakesAFullBacklogForALiveDaemon(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	fd, err := newSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		c, err := net.Dial("unix", path)
		if err != nil {
			break // full
		}
		defer c.Close()
	}
	if _, err := ListenUnix(t.Context(), path); !errors.Is(err, ErrInUse) {
		t.Errorf("ListenUnix = %v, want ErrInUse", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket of the busy daemon: %v", err)
	}
}

func TestOfManyListenersOneWins(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	dead(t, path)
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			l, err := ListenUnix(t.Context(), path)
			switch {
			case err == nil:
				won.Add(1)
				t.Cleanup(func() { l.Close() })
			case errors.Is(err, ErrInUse):
				lost.Add(1)
			default:
				t.Errorf("ListenUnix = %v, want nil or ErrInUse", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
}

func TestListenUnixGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	unlock, err := lockParent(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = ListenUnix(ctx, path); !errors.Is(err, ErrInUse) {
		t.Errorf("ListenUnix while the directory is locked = %v, want ErrInUse", err)
	}
	unlock()
	listen(t, path)
}

func TestCloseRemovesOnlyItsOwnFile(t *testing.T) {
	tests := []struct {
		name   string
		before func(t *testing.T, path string)
		left   bool // a file is there after Close
	}{
		{"its own file", func(*testing.T, string) {}, false},
		{"a file that is gone", func(t *testing.T, path string) { t.Helper(); os.Remove(path) }, false},
		{"a socket that took its place", func(t *testing.T, path string) { t.Helper(); os.Remove(path); dead(t, path) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "s")
			l := listen(t, path)
			tt.before(t, path)
			if err := l.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
			if _, err := os.Lstat(path); (err == nil) != tt.left {
				t.Errorf("after Close the file is %v, want there: %v", err, tt.left)
			}
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second Close = %v, want net.ErrClosed", err)
			}
		})
	}
}

func TestPeerUIDFails(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	listen(t, path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for name, conn := range map[string]*net.UnixConn{"no connection": nil, "a closed one": c.(*net.UnixConn)} {
		if uid, err := PeerUID(conn); err == nil {
			t.Errorf("PeerUID of %s = %d, nil; want an error", name, uid)
		}
	}
}

func BenchmarkPeerUID(b *testing.B) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fds[1])
	f := os.NewFile(uintptr(fds[0]), "pair")
	c, err := net.FileConn(f)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	defer c.Close()
	for b.Loop() {
		if _, err := PeerUID(c.(*net.UnixConn)); err != nil {
			b.Fatal(err)
		}
	}
}
