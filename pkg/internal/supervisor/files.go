package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file is one that an installation writes.
type file struct {
	path string
	text string
}

// unitMode is the mode of a unit file, as packages have it: there is no secret in it.
const unitMode = 0o644

// write makes the file be as it should, at once or not at all, and reports
// whether it was not. A symbolic link in its place is replaced.
func (f file) write() (changed bool, err error) {
	if f.asItShould() {
		return false, nil
	}
	dir := filepath.Dir(f.path)
	if err = os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // systemd's directories are for all to read
		return false, fmt.Errorf("make the directory of a unit: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".moatd-*.tmp")
	if err != nil {
		return false, fmt.Errorf("write %s: %w", f.path, err)
	}
	_, err = tmp.WriteString(f.text)
	err = errors.Join(err, tmp.Chmod(unitMode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.path)
	}
	if err != nil {
		return false, errors.Join(fmt.Errorf("write %s: %w", f.path, err), os.Remove(tmp.Name()))
	}
	return true, nil
}

func (f file) asItShould() bool {
	info, err := os.Lstat(f.path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != unitMode {
		return false
	}
	have, err := os.ReadFile(f.path)
	return err == nil && string(have) == f.text
}

// remove removes a file and, if that empties it, its directory of drop-ins or
// links. It reports whether the file was there.
func remove(path string) (bool, error) {
	err := os.Remove(path)
	if dir := filepath.Dir(path); strings.HasSuffix(dir, ".d") || strings.HasSuffix(dir, ".wants") {
		_ = os.Remove(dir) // fails if there is more in it, which stays
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("remove a file of the service: %w", err)
	}
	return true, nil
}

// section returns the lines of a section of a unit file that mean something.
func section(text, name string) string {
	var lines []string
	in := false
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			in = line == "["+name+"]"
		case in:
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
