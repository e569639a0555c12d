package credential

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Names returns the names of the grants that are stored in dir, sorted, without
// opening anything: it needs no key and changes nothing. Without dir there are
// none.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	var all []string
	for _, e := range entries {
		escaped, isSealed := strings.CutSuffix(e.Name(), sealedExt)
		if grant, isGrant := unescape(escaped); isSealed && isGrant && e.Type().IsRegular() {
			all = append(all, grant)
		}
	}
	slices.Sort(all)
	return all, nil
}
