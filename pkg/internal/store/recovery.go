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
	if now, err := f.Stat(); err == nil && d.file != nil && !os.SameFile(now, d.file) {
		return Recovery{}, nil // another process was faster
	}
	next := path + ".new"
	if rec.Restored, err = successor(next, path+".bak", l); err != nil {
		return rec, err
	}
	if rec.Kept, err = moveAside(path); err != nil {
		return rec, err
	}
	if err := os.Rename(next, path); err != nil {
		return rec, err
	}
	return rec, syncDir(filepath.Dir(path))
}

// successor makes a sound database at next, from the backup at bak if there is
// a sound one, and returns the path it came from, "" for none.
func successor(next, bak string, l layout) (from string, err error) {
	if err := copyFile(next, bak); err != nil {
		return "", err
	}
	f, err := openLocked(next, readWrite, 0)
	if err != nil {
		return "", err
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		from = bak
	}
	db, _, err := inspect(f, l)
	if _, ok := errors.AsType[*damage](err); ok {
		return successor(next, "", l)
	}
	if err != nil {
		return "", err
	}
	return from, db.Close()
}

// copyFile makes the file dst, anew, with the content of src, or empty if src
// cannot be opened.
func copyFile(dst, src string) error {
	out, err := createFile(dst)
	if err != nil {
		return err
	}
	defer out.Close()
	in, err := openOwned(src, readOnly)
	if err != nil {
		return nil //nolint:nilerr // then there is no backup to be had
	}
	defer in.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy %s: %w", src, err)
	}
	return out.Sync()
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
