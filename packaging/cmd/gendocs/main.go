// Command gendocs writes what packages of moatd have besides its programs.
//
//	gendocs version DESCRIBE         print the version and the version in packages of what git describe printed
//	gendocs write DESCRIBE TIME DIR  write man pages, completions and change logs into DIR; TIME is that of the
//	                                 commit, in seconds since 1970
//
// It is called at the top of the source tree.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moatd/moatd/packaging/internal/release"
)

const usage = "usage: gendocs version DESCRIBE | gendocs write DESCRIBE TIME DIR"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New(usage)
	}
	v, err := release.ParseVersion(args[1])
	if err != nil {
		return err
	}
	switch {
	case args[0] == "version" && len(args) == 2:
		fmt.Println(v, v.Package())
		return nil
	case args[0] == "write" && len(args) == 4:
		seconds, err := strconv.ParseInt(args[2], 10, 64)
		if err != nil {
			return fmt.Errorf("time of the commit: %w", err)
		}
		return write(v, time.Unix(seconds, 0).UTC(), args[3])
	}
	return errors.New(usage)
}

// write makes every file, and dir.
func write(v release.Version, built time.Time, dir string) error {
	files := map[string]string{}
	for _, add := range []func(map[string]string, release.Version, time.Time) error{pages, completions, changelogs} {
		if err := add(files, v, built); err != nil {
			return err
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // for everybody to read
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // for everybody to read
			return err
		}
	}
	return nil
}
