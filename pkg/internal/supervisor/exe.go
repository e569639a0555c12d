package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// ErrNoExe reports that there is no moatd beside the running moat.
var ErrNoExe = errors.New("moatd is not installed beside moat")

// FindExe returns the path of moatd that a service should start, given the path
// of the running moat. Of several paths to the same file it takes the one that
// the next version will have too: a package's, one in PATH, Homebrew's opt.
func FindExe(self string) (string, error) {
	beside := filepath.Join(filepath.Dir(self), "moatd")
	if _, err := os.Stat(beside); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoExe, err)
	}
	candidates := []string{packagedExe}
	if moat, err := exec.LookPath("moat"); err == nil {
		if abs, err := filepath.Abs(moat); err == nil {
			candidates = append(candidates, filepath.Join(filepath.Dir(abs), "moatd"))
		}
	}
	candidates = append(candidates, cellar.ReplaceAllString(beside, "/opt/$1/"))
	for _, path := range candidates {
		if sameFile(path, beside) {
			return path, nil
		}
	}
	return filepath.Abs(beside)
}

// cellar is where Homebrew keeps a version; opt has a link to the current one.
var cellar = regexp.MustCompile(`/Cellar/([^/]+)/[^/]+/`)

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
