package credential

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KeySource says where the key of a home is kept.
type KeySource string

// The places where a key can be.
const (
	KeyInFile        KeySource = "file"        // store.key in the home, of mode 0600
	KeyInKeyring     KeySource = "keyring"     // the Secret Service, or the Keychain of macOS
	KeyInCredentials KeySource = "credentials" // moat-store-key in $CREDENTIALS_DIRECTORY, put there by systemd
	// KeyAuto lets a home that has no key yet choose: credentials if it was
	// given one, else the keyring of a desktop that is unlocked, else a file.
	KeyAuto KeySource = "auto"
)

// ParseKeySource returns the source that is called text.
func ParseKeySource(text string) (KeySource, error) {
	switch s := KeySource(text); s {
	case KeyInFile, KeyInKeyring, KeyInCredentials, KeyAuto:
		return s, nil
	}
	return "", fmt.Errorf("%q is no place for a key; write auto, keyring, credentials or file", text)
}

// Why a key cannot be had; to be tested with [errors.Is]. The key is not lost,
// and no other takes its place.
var (
	// ErrKeyLocked reports a keyring that would ask a person first.
	ErrKeyLocked = errors.New("the keyring is locked")
	// ErrKeyUnavailable reports a place that cannot be asked, or that does not
	// have the key.
	ErrKeyUnavailable = errors.New("the key is not available")
)

func isKeyError(err error) bool {
	return errors.Is(err, ErrKeyLocked) || errors.Is(err, ErrKeyUnavailable)
}

// A Keyring keeps short texts for the user of the machine, by id. It never asks
// a person for anything: what would need that is ErrKeyLocked. Its methods end
// with ctx, leave nothing running, and are safe for concurrent use. Their
// errors are [ErrNotFound], [ErrKeyLocked], or others, which say why the keyring
// cannot be asked.
type Keyring interface {
	// Ready returns nil if Get and Set can be expected to work.
	Ready(ctx context.Context) error
	Get(ctx context.Context, id string) (Secret, error)
	Set(ctx context.Context, id string, text Secret) error
	Delete(ctx context.Context, id string) error
}

// keyringLimit is how long a keyring may take for one answer.
const keyringLimit = 2 * time.Second

// noKeyring is the keyring of a machine without one.
type noKeyring struct{}

var errNoKeyring = errors.New("there is no keyring here: no D-Bus session and no Keychain")

func (noKeyring) Ready(context.Context) error { return errNoKeyring }

func (noKeyring) Get(context.Context, string) (Secret, error) { return "", errNoKeyring }

func (noKeyring) Set(context.Context, string, Secret) error { return errNoKeyring }

func (noKeyring) Delete(context.Context, string) error { return errNoKeyring }

// keyringError puts what a keyring said into the words of a user.
func keyringError(ctx context.Context, id string, err error) error {
	switch {
	case errors.Is(err, ErrKeyLocked):
		return fmt.Errorf("the key of the credentials, %s, is in the keyring: %w; unlock it, as by logging in to the desktop", id, err)
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("the keyring does not have the key of the credentials, %s: %w; put it back from a backup of the keyring", id, ErrKeyUnavailable)
	case ctx.Err() != nil:
		return fmt.Errorf("the key of the credentials, %s, is in the keyring, which has not answered within %v: %w", id, keyringLimit, ErrKeyUnavailable)
	}
	return fmt.Errorf("the key of the credentials, %s, is in the keyring: %w: %v", id, ErrKeyUnavailable, err)
}
