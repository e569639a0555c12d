package activation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxPath  = 103             // bytes; sun_path has 104 on macOS and 108 on Linux, with the final NUL
	lockWait = 2 * time.Second // for another process that is binding in the same directory
	lockPoll = 10 * time.Millisecond
	dialWait = time.Second // for a live daemon to answer a connect
)

// ListenUnix binds the Unix socket path, which is at most 103 bytes long, for
// this user alone. It makes missing parent directories with mode 0700, and
// refuses a parent that is not ours or that others can write.
//
// When path exists, it is asked: where somebody answers, the error is
// [ErrInUse]; a socket that nobody listens on is replaced; anything but a
// socket is refused. A lock on the directory, held meanwhile, makes sure that
// of two processes that try at once exactly one succeeds.
//
// The caller closes the listener, which removes path if it is still the file
// that was bound here.
func ListenUnix(ctx context.Context, path string) (net.Listener, error) {
	l, err := listenUnix(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	unlock, err := lockParent(ctx, path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err = removeDead(ctx, path); err != nil {
		return nil, err
	}
	f, err := bind(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the listener has its own duplicate
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("read the socket file: %w", err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return &unixListener{Listener: l, path: path, info: info}, nil
}

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("the path is empty")
	case len(path) > maxPath:
		return fmt.Errorf("the path has %d bytes, and a socket's at most %d; choose a shorter one", len(path), maxPath)
	case path[0] == '@' || strings.ContainsRune(path, 0):
		return errors.New("an abstract socket has no permissions; choose a path")
	}
	return nil
}

// bind makes a listening socket whose file has mode 0600. The umask, which
// belongs to the whole process, is left alone: until listen(2) every connect is
// refused, whatever the mode, so it is enough that chmod comes before it; and
// nobody but us can put another file in the place, since the directory is ours.
func bind(path string) (*os.File, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), path)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := errors.Join(os.Chmod(path, 0o600), unix.Listen(fd, unix.SOMAXCONN)); err != nil {
		return nil, errors.Join(err, os.Remove(path), f.Close())
	}
	return f, nil
}

// newSocket returns a stream socket that children do not inherit. macOS has no
// flag for that, hence the lock.
func newSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}

// unixListener removes its file when it is closed. It embeds the interface, not
// *net.UnixListener: File of that one makes a live listener block.
type unixListener struct {
	net.Listener
	path   string
	info   os.FileInfo // of the file as it was bound
	closed atomic.Bool
}

// Close stops listening and removes the socket file, unless another file has
// taken its place. The comparison comes before the socket is closed: until then
// the kernel keeps the inode, so that no new file can have its number.
func (l *unixListener) Close() error {
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	var removed error
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.info) {
		removed = os.Remove(l.path)
	}
	return errors.Join(removed, l.Listener.Close())
}
