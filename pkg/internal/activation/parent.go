package activation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockParent makes and checks the directory of path, and locks it until unlock
// is called. Another holder is waited for, no longer than lockWait: he is a
// daemon that is binding its socket, which takes milliseconds.
func lockParent(ctx context.Context, path string) (unlock func(), err error) {
	dir := filepath.Dir(path)
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make its directory: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open its directory: %w", err)
	}
	if err = ownDir(f); err == nil {
		err = lock(ctx, f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing a directory cannot lose anything
}

// ownDir returns nil if the open directory is ours and only we can change it.
func ownDir(dir *os.File) error {
	info, err := dir.Stat()
	if err != nil {
		return fmt.Errorf("read the mode of its directory: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("others can write the directory %s (mode %04o); choose another, or chmod go-w it", dir.Name(), perm)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if uid := os.Geteuid(); !ok || int(st.Uid) != uid {
		return fmt.Errorf("the directory %s does not belong to the user %d; choose another", dir.Name(), uid)
	}
	return nil
}

// lock takes the flock(2) of dir, which ends with the last close of dir.
func lock(ctx context.Context, dir *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := tryLock(dir)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock its directory: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another program holds the lock of its directory: %w", ErrInUse)
		case <-tick.C:
		}
	}
}

func tryLock(dir *os.File) error {
	conn, err := dir.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) { inner = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
	return errors.Join(err, inner)
}

// removeDead removes the socket at path if nobody listens on it. Only a refused
// connect proves that: a full backlog, for one, answers otherwise.
func removeDead(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("a file is there that is not a socket; remove it, or choose another path")
	}
	err = answers(ctx, path)
	switch {
	case err == nil, errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w: a daemon answers there", ErrInUse)
	case errors.Is(err, fs.ErrNotExist): // its owner has just removed it
		return nil
	case !errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("ask whether a daemon is there: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the socket of a dead daemon: %w", err)
	}
	return nil
}

// answers returns nil if somebody listens on path.
func answers(ctx context.Context, path string) error {
	d := net.Dialer{Timeout: dialWait}
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return c.Close()
}
