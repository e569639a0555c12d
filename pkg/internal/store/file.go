package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// How a file is opened: never through a symbolic link, never inherited by a
// child, and without waiting should it turn out to be a FIFO.
const (
	readOnly  = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	existing  = os.O_RDWR | syscall.O_NOFOLLOW | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	readWrite = existing | os.O_CREATE
)

// lockPoll is how often a lock that is held is tried again; flock has no
// time-out of its own.
const lockPoll = 10 * time.Millisecond

// openLocked opens the file at path under a flock, shared for readOnly and
// exclusive otherwise, and waits for at most wait for others to let go of it. It
// returns [ErrLocked] if they do not. bbolt's own flock of the same file
// description then succeeds at once; the lock ends when the file is closed.
func openLocked(path string, flag int, wait time.Duration) (*os.File, error) {
	deadline := time.Now().Add(wait)
	for {
		f, err := openOwned(path, flag)
		if err != nil {
			return nil, err
		}
		if err := lock(f, flag, deadline); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if isAt(f, path) {
			return f, nil
		}
		// While we waited, the file was moved aside.
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// openOwned opens a regular file of our own and sees to it that nobody else may
// read it. Its errors leave the path to the caller.
func openOwned(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errors.New("it is a symbolic link")
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, pe.Err
	}
	if err != nil {
		return nil, err
	}
	if err := own(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// own checks the file that is open, not the path, which may name another one by
// now. The uid is ours even in a user namespace, where files of root look like
// those of 65534: a database of root is not one that we wrote.
func own(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	if info.Mode().Perm() == 0o600 {
		return nil
	}
	return f.Chmod(0o600)
}

// lock takes the flock of f, or returns [ErrLocked] at the deadline. It tries at
// least once.
func lock(f *os.File, flag int, deadline time.Time) error {
	how := syscall.LOCK_EX
	if flag == readOnly {
		how = syscall.LOCK_SH
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return fmt.Errorf("lock: %w", err)
		case time.Until(deadline) <= 0:
			return ErrLocked
		}
		<-time.After(min(lockPoll, time.Until(deadline)))
	}
}

// isAt reports whether the open file is the one that path names.
func isAt(f *os.File, path string) bool {
	here, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(here, there)
}

// exists reports whether anything is at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// syncDir puts the entries of a directory on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
