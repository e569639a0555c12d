package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Home returns the directory of all state: moatHome (the variable MOAT_HOME) or
// ".moat" in the user's home directory. It creates nothing.
func Home(moatHome, userHome string) (string, error) {
	if moatHome == "" {
		if userHome == "" {
			return "", errors.New("no home directory: set HOME or MOAT_HOME")
		}
		moatHome = filepath.Join(userHome, ".moat")
	}
	if !filepath.IsAbs(moatHome) {
		return "", fmt.Errorf("MOAT_HOME %q is no absolute path", moatHome)
	}
	return filepath.Clean(moatHome), nil
}

// The places below the home directory. The daemon and the CLI agree on them.

// CADir is where the CA, its key and the bundle lie.
func CADir(home string) string { return filepath.Join(home, "ca") }

// CAFile is the PEM certificate of the CA that only runs trust.
func CAFile(home string) string { return filepath.Join(CADir(home), "ca.crt") }

// BundleFile holds the system's roots and ours, for tools that replace theirs.
func BundleFile(home string) string { return filepath.Join(CADir(home), "bundle.crt") }

// CredentialsDir holds one sealed file for each grant.
func CredentialsDir(home string) string { return filepath.Join(home, "credentials") }

// ProfileDir holds those of a profile; of "", those of none.
func ProfileDir(home, profile string) string {
	if profile == "" {
		return CredentialsDir(home)
	}
	return filepath.Join(CredentialsDir(home), "profiles", profile)
}

// ProvidersDir holds the providers that the user describes.
func ProvidersDir(home string) string { return filepath.Join(home, "providers") }

// KeyFile holds the key that seals the credentials.
func KeyFile(home string) string { return filepath.Join(home, "store.key") }

// Database is the daemon's database.
func Database(home string) string { return filepath.Join(home, "moatd.db") }

// LogFile is the log of a daemon that no service manager has started.
func LogFile(home string) string { return filepath.Join(home, "moatd.log") }

// AgentLogFile is the log of a daemon that launchd has started. userHome is the
// user's home directory.
func AgentLogFile(userHome string) string {
	return filepath.Join(userHome, "Library", "Logs", "moat", "moatd.log")
}

// MakeHome makes the home directory and those in it that both the daemon and
// the CLI write to, and makes sure that nobody but its owner may look in.
func MakeHome(home string) error {
	for _, dir := range []string{home, CredentialsDir(home), ProvidersDir(home)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the state directory: %w", err)
		}
	}
	info, err := os.Stat(home)
	if err != nil {
		return fmt.Errorf("look at the state directory: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(home, 0o700); err != nil { //nolint:gosec // a directory needs its x bit
		return fmt.Errorf("close the state directory to others: %w", err)
	}
	return nil
}
