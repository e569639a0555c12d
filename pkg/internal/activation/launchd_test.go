package activation

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeLaunchd is launch_activate_socket(3) as it was measured: each name works
// once.
type fakeLaunchd struct {
	fds   map[string][]int
	asked []string
}

func (l *fakeLaunchd) activate(name string) ([]int, error) {
	if slices.Contains(l.asked, name) {
		return nil, unix.EALREADY
	}
	l.asked = append(l.asked, name)
	if fds, ok := l.fds[name]; ok {
		return fds, nil
	}
	return nil, unix.ESRCH
}

// launchdTake is [Take] in a process to which launchd handed the descriptors
// from 3 on, called names.
func launchdTake(names string) func() (*Handed, error) {
	l := &fakeLaunchd{fds: make(map[string][]int)}
	for i, name := range strings.Split(names, ":") {
		l.fds[name] = append(l.fds[name], 3+i)
	}
	return func() (*Handed, error) {
		files, err := claim(l.activate)
		if err != nil {
			return nil, err
		}
		return adopt(files)
	}
}

// runLaunchd is the starter of launchd.
func runLaunchd(t *testing.T, fds []handed, env ...string) taken {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	var names []string
	for _, h := range fds {
		cmd.ExtraFiles = append(cmd.ExtraFiles, h.file)
		names = append(names, h.name)
	}
	cmd.Env = append(os.Environ(), childVar+"=1", raceVar)
	if len(names) > 0 {
		cmd.Env = append(cmd.Env, launchdVar+"="+strings.Join(names, ":"))
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.Output()
	return report(t, out, err)
}

func TestClaim_errors(t *testing.T) {
	tests := []struct {
		name string
		err  error // of the proxy's sockets, after those of the API were taken
		want string
	}{
		{"ESRCH: the job has no such socket", unix.ESRCH, ""},
		{"ENOENT: the job has no such socket", unix.ENOENT, ""},
		{"EALREADY: somebody else in this process has it", unix.EALREADY, `take the sockets "proxy" from launchd: this process has taken them before`},
		{"any other error", unix.EPERM, `take the sockets "proxy" from launchd: operation not permitted`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := unixSock(t, 0o600)
			fd, err := unix.Dup(int(f.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			files, err := claim(func(name string) ([]int, error) {
				switch name {
				case API:
					return []int{fd}, nil
				case Proxy:
					return nil, tt.err
				}
				return nil, unix.ESRCH
			})
			if tt.want == "" {
				if err != nil || len(files) != 1 || files[0].Name() != API {
					t.Fatalf("claim = %v, %v; want the API's file", files, err)
				}
				files[0].Close()
			} else if err == nil || err.Error() != tt.want || files != nil {
				t.Fatalf("claim = %v, %v; want the error %q", files, err, tt.want)
			}
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); !errors.Is(err, syscall.EBADF) {
				t.Errorf("the descriptor of the API is open (%v), want it closed", err)
			}
		})
	}
}

func TestClaim_closesDescriptorsToChildren(t *testing.T) {
	f, _ := tcp(t)
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	files, err := claim((&fakeLaunchd{fds: map[string][]int{Proxy: {fd}}}).activate)
	if err != nil || len(files) != 1 {
		t.Fatalf("claim = %v, %v; want one file", files, err)
	}
	defer files[0].Close()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags of the descriptor = %#x, %v; want FD_CLOEXEC", flags, err)
	}
}

// A process has each name once, as a whole.
func TestClaim_again(t *testing.T) {
	f, _ := tcp(t)
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	l := &fakeLaunchd{fds: map[string][]int{Proxy: {fd}}}
	files, err := claim(l.activate)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFiles(files)
	if got, err := claim(l.activate); err == nil {
		t.Errorf("second claim = %v, nil; want an error", got)
	}
}

// macOS cannot tell whether a socket listens, only whether it is connected.
func TestUnconnected(t *testing.T) {
	listening, _ := tcp(t)
	for _, tt := range []struct {
		name string
		file *os.File
		want bool
	}{
		{"a listening TCP socket", listening, true},
		{"a TCP connection", connection(t), false},
		{"a Unix connection", unixConnection(t), false},
	} {
		if got, err := unconnected(int(tt.file.Fd())); err != nil || got != tt.want {
			t.Errorf("unconnected(%s) = %v, %v; want %v, nil", tt.name, got, err, tt.want)
		}
	}
	if _, err := unconnected(-1); err == nil {
		t.Error("unconnected(-1) = nil, want an error")
	}
}

func unixConnection(t *testing.T) *os.File {
	t.Helper()
	_, path := unixSock(t, 0o600)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
