package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Recovery tells what [Open] did about a damaged file; its zero value: nothing.
type Recovery struct {
	Damage   string // what was wrong, "" for nothing
	Kept     string // path of the damaged file that was moved aside, "" when it could be mended
	Restored string // path of the backup that took its place, "" when started empty or mended
}

// String tells it in one line, "nothing" for the zero value.
func (r Recovery) String() string {
	switch {
	case r.Damage == "":
		return "nothing"
	case r.Kept == "":
		return "the database was damaged and has been mended: " + r.Damage
	case r.Restored == "":
		return fmt.Sprintf("the database was damaged and is empty now; the damaged file is %s: %s", r.Kept, r.Damage)
	}
	return fmt.Sprintf("the database was damaged and is restored from %s; the damaged file is %s: %s", r.Restored, r.Kept, r.Damage)
}

// replace moves the damaged file at path aside and puts the backup, or an empty
// database, in its place. At every moment there is a file at path, so that no
// other process can begin an empty one.
func replace(path string, opts Options, l layout, d *damage) (Recovery, error) {
	rec := Recovery{Damage: d.what}
	f, err := openLocked(path, existing, opts.LockWait)
	if err != nil {
		return rec, err
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return rec, err
	}
	if !os.SameFile(now, d.file) {
		return Recovery{}, nil // another process was faster
	}
	next := path + ".new"
	if rec.Restored, err = successor(next, path+".bak", l); err != nil {
		return rec, err
	}
	if rec.Kept, err = moveAside(path); err != nil {
		return rec, err
	}
	if err = os.Rename(next, path); err != nil {
		return rec, err
	}
	return rec, syncDir(filepath.Dir(path))
}

// successor makes a sound database at next, from the backup at bak if there is
// a sound one, and returns the path it came from, "" for none.
func successor(next, bak string, l layout) (from string, err error) {
	copied, err := copyFile(next, bak)
	if err != nil {
		return "", err
	}
	f, err := openLocked(next, existing, 0)
	if err != nil {
		return "", err
	}
	db, _, err := inspect(f, l)
	if _, ok := errors.AsType[*damage](err); ok && bak != "" {
		return successor(next, "", l)
	}
	if err != nil {
		return "", fmt.Errorf("restore %s: %w", bak, err)
	}
	if copied > 0 {
		from = bak
	}
	return from, db.Close()
}

// copyFile makes the file dst, anew, with the content of src, or empty if src
// cannot be opened. It returns the number of bytes.
func copyFile(dst, src string) (int64, error) {
	out, err := createFile(dst)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	in, cause := openOwned(src, readOnly)
	if cause != nil {
		return 0, nil // then there is no backup to be had
	}
	defer in.Close()
	n, err := io.Copy(out, in)
	if err != nil {
		return n, fmt.Errorf("copy %s: %w", src, err)
	}
	return n, out.Sync()
}

// createFile makes an empty file at path. What an earlier attempt left there
// goes.
func createFile(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, readWrite|os.O_EXCL, 0o600)
}

// moveAside gives the file at path a second name, which says when it was found
// damaged, and returns that. A file system without hard links gets a rename.
func moveAside(path string) (string, error) {
	base := path + ".corrupt-" + time.Now().UTC().Format("20060102T150405Z")
	kept := base
	for n := 2; exists(kept); n++ {
		kept = fmt.Sprintf("%s-%d", base, n)
	}
	if os.Link(path, kept) == nil {
		return kept, nil
	}
	return kept, os.Rename(path, kept)
}
