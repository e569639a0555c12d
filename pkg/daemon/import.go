package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files in which programs before this one kept what they had to remember.
const (
	oldRuns   = "runs.json"
	oldRoutes = "routes.json"
	oldLock   = "daemon.lock"
)

// errNonsense reports a file that cannot be read at all.
var errNonsense = errors.New("the file is damaged")

// An Import brings along what an older program left in a home directory. What is
// imported is on disk before its file is renamed to FILE.imported, and is not
// imported twice should a power cut come in between. A file that makes no sense
// is renamed to FILE.damaged. No file is ever overwritten or removed.
type Import struct {
	Home string        // required
	Runs *RunPersister // gets the runs; nil leaves them and the lock for another time
	// Routes gets the services of each agent, by name their addresses, and
	// returns nil when they are durable. What it returns [ErrBadRequest] for is
	// left out; any other error leaves the file for another time, as nil does.
	Routes func(agent string, services map[string]string) error
}

// Imported says what came along.
type Imported struct {
	Runs   int // that were not there before
	Agents int // with routes
	// Problems are what the user should know: a file or a run that could not be
	// imported.
	Problems []error
}

// Run imports what there is. It is for the time before the runs are restored.
// While the older daemon lives, its files are left to it.
func (im Import) Run(ctx context.Context) Imported {
	var done Imported
	if old, err := readOldLock(im.Home); err == nil && old.serves(ctx) {
		if im.Runs != nil { // told once
			done.Problems = append(done.Problems, fmt.Errorf("process %d, an older daemon, still serves %s; its runs are imported when it has ended", old.PID, im.Home))
		}
		return done
	}
	if im.Runs != nil {
		done.file(filepath.Join(im.Home, oldRuns), im.runs)
		done.file(filepath.Join(im.Home, oldLock), im.lock)
	}
	if im.Routes != nil {
		done.file(filepath.Join(im.Home, oldRoutes), im.routes)
	}
	return done
}

// file imports one file, if there is one, and renames it.
func (done *Imported) file(path string, importData func(data []byte, done *Imported) error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	suffix := ".imported"
	if err == nil {
		err = importData(data, done)
	}
	if errors.Is(err, errDamaged) || errors.Is(err, errNonsense) {
		done.Problems = append(done.Problems, fmt.Errorf("import %s: %w; it is kept under another name", path, err))
		suffix, err = ".damaged", nil
	}
	if err == nil {
		err = moveTo(path, suffix)
	}
	if err != nil {
		done.Problems = append(done.Problems, fmt.Errorf("import %s: %w", path, err))
	}
}

// moveTo renames a file to path and suffix, and a number if that is taken. It is
// durable when it returns nil.
func moveTo(path, suffix string) error {
	to := path + suffix
	for n := 1; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s%s.%d", path, suffix, n)
	}
	if err := os.Rename(path, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
