//go:build !linux

package confine

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Files confines the process to the files of p, as far as the kernel can, which
// here it cannot: Applied says so.
func Files(p Places) (Applied, error) {
	for _, path := range slices.Concat(p.Write, p.Unlink, p.Shared, p.Read, p.Run) {
		if !filepath.IsAbs(path) {
			return Applied{}, fmt.Errorf("%w: %q", errRelative, path)
		}
	}
	return Applied{}, nil
}
