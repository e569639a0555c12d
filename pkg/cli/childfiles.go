package cli

import (
	_ "embed" // for the hook of Node
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moatd/moatd/pkg/config"
)

// nodeHook makes fetch, http and https of a Node that does not know
// NODE_USE_ENV_PROXY (before 22.21 and 24) use the proxy all the same.
//
//go:embed nodehook.cjs
var nodeHook []byte

// The files below the home that variables of the child point to.
func nodeHookFile(home string) string  { return filepath.Join(home, "run", "nodehook.cjs") }
func javaTrustFile(home string) string { return filepath.Join(home, "run", "roots.jks") }
func wgetrcFile(home string) string    { return filepath.Join(home, "run", "wgetrc") }

// writeChildFiles brings the files up to date that children need.
func writeChildFiles(home string) error {
	roots, err := os.ReadFile(config.BundleFile(home))
	if errors.Is(err, fs.ErrNotExist) {
		return hinted{
			fmt.Errorf("the daemon's CA is not in %s", config.CADir(home)),
			"moat and moatd must have the same home; set MOAT_HOME for both or for none",
		}
	}
	if err != nil {
		return fmt.Errorf("read the roots: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(home, "run"), 0o700); err != nil {
		return fmt.Errorf("write files for the command: %w", err)
	}
	wgetrc := fmt.Appendf(nil, "ca_certificate = %s\n", config.BundleFile(home)) // wget with GnuTLS knows no variable for it
	return errors.Join(
		replace(nodeHookFile(home), nodeHook),
		replace(javaTrustFile(home), javaTrust(roots)),
		replace(wgetrcFile(home), wgetrc),
	)
}

// replace writes data to path in one step, since another child may be reading
// it, unless it is there already.
func replace(path string, data []byte) error {
	if have, err := os.ReadFile(path); err == nil && string(have) == string(data) {
		return nil
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fmt.Errorf("write files for the command: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write files for the command: %w", err)
	}
	return nil
}
