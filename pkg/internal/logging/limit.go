package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxFile is how large a log file may grow, in bytes, before Limit empties it.
const maxFile = 10 << 20

// Limit returns a writer to w that keeps the file behind it from growing without
// end, for a log that somebody else has opened, such as launchd, which does not
// do that: at 10 MB the file is copied to the one with ".old" after its name, and
// emptied. It is safe for concurrent use.
//
// It returns w itself if that is no file at one of the paths that is open for
// appending: any other would have a hole where it was emptied.
func Limit(w io.Writer, paths ...string) io.Writer { return limit(w, maxFile, paths...) }

func limit(w io.Writer, size int64, paths ...string) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !appends(f) {
		return w
	}
	for _, path := range paths {
		if at, err := os.Lstat(path); err == nil && os.SameFile(at, info) {
			return &limitedFile{file: f, path: path, max: size, size: info.Size()}
		}
	}
	return w
}

// appends reports whether f is open for appending.
func appends(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var flags int
	err = errors.Join(conn.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) }), err)
	return err == nil && flags&unix.O_APPEND != 0
}

type limitedFile struct {
	file *os.File
	path string
	max  int64
	mu   sync.Mutex // guards size, and keeps writes out while the file is copied
	size int64
}

// Write implements [io.Writer].
func (l *limitedFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size >= l.max {
		if err := l.empty(); err != nil {
			n, _ := fmt.Fprintf(l.file, "the log is not emptied: %v\n", err) // the entry itself comes next
			l.size = int64(n)                                                // no other try before as much again
		}
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

// empty moves the content of the file to the old one.
func (l *limitedFile) empty() error {
	in, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer in.Close()
	old, err := os.OpenFile(l.path+".old", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(old, in)
	if err = errors.Join(err, old.Close()); err != nil {
		return err
	}
	l.size = 0
	return l.file.Truncate(0)
}
