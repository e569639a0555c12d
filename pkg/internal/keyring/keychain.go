package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// security is Apple's tool for the Keychain; without cgo there is no other way.
const security = "/usr/bin/security"

// The exit codes of security: the lowest byte of an OSStatus of Apple's
// SecBase.h.
const (
	exitNotFound    = 44 // errSecItemNotFound, -25300
	exitInteraction = 36 // errSecInteractionNotAllowed, -25308: locked, and nobody may be asked
	exitAuth        = 51 // errSecAuthFailed, -25293
)

var _ credential.Keyring = (*Keychain)(nil)

// Keychain is the [credential.Keyring] of macOS. What asks the user for longer
// than the context lasts counts as locked, and goes on asking nobody.
type Keychain struct{ path string }

// NewKeychain returns the user's default keychain.
func NewKeychain() *Keychain { return &Keychain{security} }

// Ready implements [credential.Keyring].
func (k *Keychain) Ready(ctx context.Context) error {
	_, err := k.run(ctx, "", "show-keychain-info")
	return err
}

// Get implements [credential.Keyring].
func (k *Keychain) Get(ctx context.Context, id string) (credential.Secret, error) {
	out, err := k.run(ctx, "", "find-generic-password", "-s", owner, "-a", id, "-w")
	return credential.Secret(strings.TrimSpace(out)), err
}

// Set implements [credential.Keyring]. The text goes over standard input, as
// everybody can see the arguments of a process; it must be of letters and digits.
func (k *Keychain) Set(ctx context.Context, id string, text credential.Secret) error {
	if strings.ContainsFunc(text.Reveal()+id, odd) {
		return errors.New("what goes into the Keychain must be of letters and digits")
	}
	if err := k.Ready(ctx); err != nil { // security -i does not tell how its commands ended
		return err
	}
	_, err := k.run(ctx, fmt.Sprintf("add-generic-password -U -s %s -a %s -w %s\n", owner, id, text.Reveal()), "-i")
	return err
}

func odd(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// Delete implements [credential.Keyring].
func (k *Keychain) Delete(ctx context.Context, id string) error {
	_, err := k.run(ctx, "", "delete-generic-password", "-s", owner, "-a", id)
	return err
}

// run returns what security prints, which no error shows: it may be the secret.
func (k *Keychain) run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, k.path, args...) //nolint:gosec // one tool, with arguments of ours
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = 100 * time.Millisecond // for what the tool may have started
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", credential.ErrKeyLocked // a dialog stands on the screen
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		switch exit.ExitCode() {
		case exitNotFound:
			return "", credential.ErrNotFound
		case exitInteraction, exitAuth:
			return "", credential.ErrKeyLocked
		}
		return "", fmt.Errorf("the Keychain: %s %s ended with %d", k.path, args[0], exit.ExitCode())
	}
	if err != nil {
		return "", fmt.Errorf("the Keychain: %w", err)
	}
	return out.String(), nil
}
