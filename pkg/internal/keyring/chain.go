package keyring

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/godbus/dbus/v5"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
)

// Chain returns the key chain of a home, the same for the daemon and the CLI.
// getenv is [os.Getenv] or a stand-in.
func Chain(s config.Settings, getenv func(string) string) *credential.KeyChain {
	return credential.NewKeyChain(credential.KeyOptions{
		Home:        s.Home,
		Credentials: config.CredentialsDir(s.Home),
		Keyring:     here(runtime.GOOS, getenv),
		Desktop:     desktop(runtime.GOOS, getenv),
		SystemdDir:  getenv("CREDENTIALS_DIRECTORY"),
		Prefer:      credential.KeySource(s.KeySource),
	})
}

// here returns the keyring of this session, nil if it has none. No bus is
// started for it.
func here(goos string, getenv func(string) string) credential.Keyring {
	if goos == "darwin" {
		return NewKeychain()
	}
	if address := getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		return NewSecretService(address)
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return nil
	}
	socket := filepath.Join(dir, "bus")
	if _, err := os.Stat(socket); err != nil {
		return nil // no session bus
	}
	return NewSecretService("unix:path=" + dbus.EscapeBusAddressValue(socket))
}

// desktop reports whether a person sits at this session: not behind ssh, where
// the keyring is locked again at the next login.
func desktop(goos string, getenv func(string) string) bool {
	if getenv("SSH_CONNECTION") != "" || getenv("SSH_TTY") != "" {
		return false
	}
	return goos == "darwin" || getenv("WAYLAND_DISPLAY") != "" || getenv("DISPLAY") != ""
}
