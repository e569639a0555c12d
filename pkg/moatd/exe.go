package moatd

import (
	"io/fs"
	"os"
	"path/filepath"
)

// An executable is the file that a process was started from.
type executable struct {
	path string      // "" if it is not known
	info fs.FileInfo // of the file that runs; nil if it is not known
}

// ownExecutable returns that of this process. arg0 is what the process was called
// by: where it is the path of the same file, it is the better name, since an
// upgrade may lead it to another one, as links of package managers do.
func ownExecutable(arg0 string) executable {
	path, err := os.Executable()
	if err != nil {
		return executable{}
	}
	info, err := os.Stat("/proc/self/exe") // what runs, even where it is replaced already
	if err != nil {
		info, err = os.Stat(path)
	}
	if err != nil {
		return executable{path: path}
	}
	if !filepath.IsAbs(arg0) {
		return executable{path, info}
	}
	named, err := os.Stat(arg0)
	if err == nil && os.SameFile(named, info) {
		path = arg0
	}
	return executable{path, info}
}

// changed reports whether another file is at the path now. A file that is gone is
// none: in the middle of an upgrade, or removed for good.
func (e executable) changed() bool {
	if e.info == nil {
		return false
	}
	now, err := os.Stat(e.path)
	return err == nil && (!os.SameFile(now, e.info) || now.Size() != e.info.Size() || !now.ModTime().Equal(e.info.ModTime()))
}
