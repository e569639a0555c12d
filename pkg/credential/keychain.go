package credential

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// KeyOptions configure a KeyChain.
type KeyOptions struct {
	// Home is the directory of store.key, the key in a file, and of key.json,
	// which says where the key is. It must exist.
	Home string
	// Credentials is the directory of the store; those of profiles are in its
	// directory profiles.
	Credentials string
	// Keyring is that of the user; nil means that there is none here.
	Keyring Keyring
	// Desktop says that somebody is there to unlock the keyring, so that a home
	// without a key may choose it.
	Desktop bool
	// SystemdDir is $CREDENTIALS_DIRECTORY; "" means that systemd gave none.
	SystemdDir string
	// Prefer is where a home without a key keeps its own; "" means [KeyAuto].
	Prefer KeySource
}

// A KeyChain finds the key of a home, wherever it is kept, and makes one for a
// home that has none. Which one it is stands in a file, so that all processes
// have the same: a key that cannot be had now is an error and never a reason to
// make a second one. It is safe for concurrent use, also by several processes.
type KeyChain struct {
	opts  KeyOptions
	state atomic.Pointer[keyState]

	asking sync.Mutex // one Unlock at a time; guards nothing: state is replaced under it
}

// keyState is what is known of the keys; it never changes.
type keyState struct {
	rec     keyRecord // zero if there is none yet
	text    string    // the bytes of rec
	ring    ring
	changed chan struct{} // closed when another state takes its place
}

// NewKeyChain returns the chain of a home. It has no key before [KeyChain.Unlock].
func NewKeyChain(opts KeyOptions) *KeyChain {
	if opts.Keyring == nil {
		opts.Keyring = noKeyring{}
	}
	if opts.Prefer == "" {
		opts.Prefer = KeyAuto
	}
	c := &KeyChain{opts: opts}
	c.state.Store(&keyState{ring: ring{err: fmt.Errorf("%w: nobody has asked for it yet", ErrKeyUnavailable)}, changed: make(chan struct{})})
	return c
}

// Unlock makes the chain have its key, and creates the key of a home that has
// none. It returns nil at once if it has the key already and the home has no
// newer one; a keyring is waited for, 2 s. The error is [ErrKeyLocked] or
// [ErrKeyUnavailable] and says what to do; it stands for what [KeyChain.Err] says
// until Unlock is called again.
func (c *KeyChain) Unlock(ctx context.Context) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	rec, text, err := readKeyRecord(c.recordPath())
	if errors.Is(err, fs.ErrNotExist) {
		rec, text, err = c.first(ctx)
	}
	old := c.state.Load()
	switch {
	case err != nil && old.text == "":
		c.set(keyState{ring: ring{err: err}})
	case err != nil: // what it has stays of use
		return err
	case text != old.text || old.ring.err != nil:
		c.set(keyState{rec: rec, text: text, ring: c.fetchAll(ctx, rec, old.ring)})
	}
	return c.Err()
}

// set replaces the state.
func (c *KeyChain) set(next keyState) {
	next.changed = make(chan struct{})
	close(c.state.Swap(&next).changed)
}

// Err says why the key, or while everything moves to another one of the two,
// cannot be had; nil if nothing is missing.
func (c *KeyChain) Err() error { return c.state.Load().ring.err }

// Changed returns a channel that is closed when what [KeyChain.Err] and
// [KeyChain.Place] say may have changed.
func (c *KeyChain) Changed() <-chan struct{} { return c.state.Load().changed }

// Place says where the key of the home is, whether or not it can be had; zero
// if the home has none.
func (c *KeyChain) Place() KeyPlace { return c.state.Load().rec.Current }

// Moving reports whether a move to the current key has begun and not ended; see
// [KeyChain.Rekey].
func (c *KeyChain) Moving() bool { return c.state.Load().rec.Previous != nil }

// Sealer returns a sealer for purpose that goes with the keys of the chain. Its
// errors are those of the chain while it has no key.
func (c *KeyChain) Sealer(purpose string) *Sealer { return &Sealer{c, purpose} }

// Store opens the store in dir, which is the one of the options or that of a
// profile. It needs no key yet: until there is one its methods return the
// error of the chain.
func (c *KeyChain) Store(dir string) (*FileStore, error) { return openFileStore(dir, c) }

func (c *KeyChain) ring() ring { return c.state.Load().ring }

func (c *KeyChain) again(ctx context.Context) bool {
	_, text, err := readKeyRecord(c.recordPath())
	old := c.state.Load()
	if err != nil || text == old.text {
		return false
	}
	_ = c.Unlock(ctx) // what it says is in the ring
	return c.state.Load() != old
}

func (c *KeyChain) lock(ctx context.Context) (release func(), err error) {
	return flock(ctx, c.lockPath(), syscall.LOCK_SH)
}

func (c *KeyChain) lockAlone(ctx context.Context) (release func(), err error) {
	return flock(ctx, c.lockPath(), syscall.LOCK_EX)
}

func (c *KeyChain) recordPath() string { return filepath.Join(c.opts.Home, recordName) }
func (c *KeyChain) lockPath() string   { return filepath.Join(c.opts.Home, "key.lock") }

// fetchAll finds the keys of rec, in had or where they are.
func (c *KeyChain) fetchAll(ctx context.Context, rec keyRecord, had ring) ring {
	fetch := func(at KeyPlace) (Key, error) {
		for _, key := range []Key{had.current, had.previous} {
			if key.raw != nil && key.ID() == at.ID {
				return key, nil
			}
		}
		return c.fetch(ctx, at)
	}
	var r ring
	var errs [2]error
	r.current, errs[0] = fetch(rec.Current)
	if rec.Previous != nil && !rec.Moved {
		r.previous, errs[1] = fetch(*rec.Previous)
	}
	if i := slices.IndexFunc(errs[:], func(err error) bool { return err != nil }); i >= 0 {
		r.err = errs[i]
	}
	return r
}

// first makes or adopts the key of a home that has no record. Nobody else does
// so meanwhile.
func (c *KeyChain) first(ctx context.Context) (rec keyRecord, text string, err error) {
	release, err := flock(ctx, c.lockPath(), syscall.LOCK_EX)
	if err != nil {
		return rec, "", err
	}
	defer release()
	if rec, text, err = readKeyRecord(c.recordPath()); !errors.Is(err, fs.ErrNotExist) {
		return rec, text, err // another process was first
	}
	at, err := c.adopt()
	if errors.Is(err, fs.ErrNotExist) {
		at, err = c.choose(ctx)
	}
	if err != nil {
		return rec, "", err
	}
	rec = keyRecord{Current: at}
	text, err = writeKeyRecord(c.recordPath(), rec)
	return rec, text, err
}

// adopt takes the key file of a home from before there was a record. Without
// one the error is [fs.ErrNotExist], unless something is sealed already.
func (c *KeyChain) adopt() (KeyPlace, error) {
	key, err := LoadKey(c.keyFile())
	switch {
	case err == nil:
		return KeyPlace{KeyInFile, key.ID()}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return KeyPlace{}, fmt.Errorf("%w: %w", ErrKeyUnavailable, err)
	}
	sealed, err := c.sealed()
	if err != nil {
		return KeyPlace{}, err
	}
	if len(sealed) > 0 {
		return KeyPlace{}, fmt.Errorf("%w: %d credentials are sealed, and neither %s nor %s is there; put them back from a backup, or move %s away and grant anew",
			ErrKeyUnavailable, len(sealed), c.recordPath(), c.keyFile(), c.opts.Credentials)
	}
	return KeyPlace{}, fs.ErrNotExist
}

// choose makes a key in the place that suits the home.
func (c *KeyChain) choose(ctx context.Context) (KeyPlace, error) {
	to := c.opts.Prefer
	if to == KeyAuto {
		to = c.suits(ctx)
	}
	key, err := c.create(ctx, to, func(string) error { return nil })
	return KeyPlace{to, key.ID()}, err
}

func (c *KeyChain) suits(ctx context.Context) KeySource {
	if c.opts.SystemdDir != "" && exists(c.systemdFile()) {
		return KeyInCredentials
	}
	ctx, cancel := context.WithTimeout(ctx, keyringLimit)
	defer cancel()
	if c.opts.Desktop && c.opts.Keyring.Ready(ctx) == nil {
		return KeyInKeyring
	}
	return KeyInFile
}
