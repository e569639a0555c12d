package credential

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tempPrefix begins the names of files that are not yet whole.
const tempPrefix = ".tmp-"

// onFileOp is called before each change of a file, with what is done to which;
// tests end the process there.
var onFileOp = func(op, path string) {}

func rename(from, to string) error {
	onFileOp("rename", to)
	return os.Rename(from, to)
}

func remove(path string) error {
	onFileOp("remove", path)
	return os.Remove(path)
}

// writeTemp writes data to a new file in dir, of mode 0600, and flushes it to
// the disk. The caller gives it its name, or removes it.
func writeTemp(dir string, data []byte) (path string, err error) {
	onFileOp("create", dir)
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return "", err
	}
	onFileOp("write", f.Name())
	_, err = f.Write(data)
	if err == nil {
		onFileOp("sync", f.Name())
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// replaceFile puts data at path in one step that survives a power cut.
func replaceFile(path string, data []byte) error {
	temp, err := writeTemp(filepath.Dir(path), data)
	if err != nil {
		return err
	}
	if err := rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	onFileOp("sync", dir)
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweepTemps removes what writers that were killed left in dir, but nothing
// younger than age, as its writer may be alive.
func sweepTemps(dir string, age time.Duration) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < age {
			continue // gone meanwhile, or young
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// openRegular opens a regular file for reading. It does not follow a symbolic
// link at path, and does not wait for the writer of a FIFO.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, nil, errors.New("is a symbolic link")
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// readAtMost reads f to its end, and fails if it has more than limit bytes.
func readAtMost(f io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("has more than %d bytes", limit)
	}
	return data, nil
}
