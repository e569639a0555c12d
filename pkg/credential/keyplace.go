package credential

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// keyFile is where a key in a file is in the end.
func (c *KeyChain) keyFile() string { return filepath.Join(c.opts.Home, "store.key") }

// newKeyFile is where a key in a file is while the one before still is at keyFile.
func (c *KeyChain) newKeyFile(id string) string {
	return filepath.Join(c.opts.Home, "store-"+id+".key")
}

func (c *KeyChain) systemdFile() string { return filepath.Join(c.opts.SystemdDir, "moat-store-key") }

// fetch returns the key at a place, which must be that very key.
func (c *KeyChain) fetch(ctx context.Context, at KeyPlace) (Key, error) {
	switch at.Source {
	case KeyInKeyring:
		return c.fetchKeyring(ctx, at.ID)
	case KeyInCredentials:
		return c.fetchSystemd(at.ID)
	}
	return c.fetchFile(at.ID)
}

func (c *KeyChain) fetchFile(id string) (Key, error) {
	for _, path := range []string{c.newKeyFile(id), c.keyFile()} {
		key, err := LoadKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Key{}, fmt.Errorf("%w: %w", ErrKeyUnavailable, err)
		}
		return is(key, id, "key file "+path)
	}
	return Key{}, fmt.Errorf("%w: key file %s, which has the key %s, is gone; put it back from a backup, or move credentials and key.json away and grant anew", ErrKeyUnavailable, c.keyFile(), id)
}

func (c *KeyChain) fetchKeyring(ctx context.Context, id string) (Key, error) {
	ctx, cancel := context.WithTimeout(ctx, keyringLimit)
	defer cancel()
	text, err := c.opts.Keyring.Get(ctx, id)
	if err != nil {
		return Key{}, keyringError(ctx, id, err)
	}
	key, err := decodeKey([]byte(text), KeyInKeyring)
	if err != nil {
		return Key{}, fmt.Errorf("%w: the entry %s of the keyring %w", ErrKeyUnavailable, id, err)
	}
	return is(key, id, "the keyring")
}

func (c *KeyChain) fetchSystemd(id string) (Key, error) {
	if c.opts.SystemdDir == "" {
		return Key{}, fmt.Errorf("%w: the key %s is in the credential moat-store-key, and systemd gave this process none;"+
			" set CREDENTIALS_DIRECTORY to a directory that has it", ErrKeyUnavailable, id)
	}
	key, err := c.readSystemd()
	if err != nil {
		return Key{}, err
	}
	return is(key, id, c.systemdFile())
}

// readSystemd does not ask who owns the file: systemd gives it away with an
// access list, which looks like a mode that is too wide.
func (c *KeyChain) readSystemd() (Key, error) {
	f, _, err := openRegular(c.systemdFile())
	if err != nil {
		return Key{}, fmt.Errorf("%w: systemd's credential: %v", ErrKeyUnavailable, err)
	}
	defer f.Close()
	data, err := readAtMost(f, 4096)
	if err == nil {
		var key Key
		if key, err = decodeKey(data, KeyInCredentials); err == nil {
			return key, nil
		}
	}
	return Key{}, fmt.Errorf("%w: %s %v", ErrKeyUnavailable, c.systemdFile(), err)
}

// is refuses a key that is not the one of this id.
func is(key Key, id, where string) (Key, error) {
	if key.ID() != id {
		return Key{}, fmt.Errorf("%w: %s has the key %s, and the credentials are sealed with %s; put that one back",
			ErrKeyUnavailable, where, key.ID(), id)
	}
	return key, nil
}

// create makes a key at a place, durably, and reads it back. Of systemd it takes
// the one that is there. Before a keyring has it, intent is told its id.
func (c *KeyChain) create(ctx context.Context, to KeySource, intent func(id string) error) (key Key, err error) {
	switch to {
	case KeyInCredentials:
		if c.opts.SystemdDir == "" {
			return Key{}, fmt.Errorf("%w: systemd gave this process no credential moat-store-key", ErrKeyUnavailable)
		}
		return c.readSystemd()
	case KeyInKeyring:
		key = newKey(string(to))
		raw := key.raw()
		if err = intent(key.ID()); err == nil {
			err = c.toKeyring(ctx, key.ID(), Secret(hex.EncodeToString(raw[:])))
		}
	default:
		if err = checkKeyDir(c.opts.Home); err == nil {
			key = newKey(string(to))
			err = c.toFile(key)
		}
	}
	if err != nil {
		return Key{}, fmt.Errorf("make a key in the %s: %w", to, err)
	}
	return c.fetch(ctx, KeyPlace{to, key.ID()})
}

// toFile gives the second key of a home a name of its own until it is the only
// one.
func (c *KeyChain) toFile(key Key) error {
	path := c.keyFile()
	if c.Place().ID != "" {
		path = c.newKeyFile(key.ID())
	}
	return writeKey(path, key)
}

func (c *KeyChain) toKeyring(ctx context.Context, id string, text Secret) error {
	ctx, cancel := context.WithTimeout(ctx, keyringLimit)
	defer cancel()
	if err := c.opts.Keyring.Set(ctx, id, text); err != nil {
		return keyringError(ctx, id, err)
	}
	return nil
}

// fromKeyring removes a key, if it is there.
func (c *KeyChain) fromKeyring(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, keyringLimit)
	defer cancel()
	if err := c.opts.Keyring.Delete(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
		return keyringError(ctx, id, err)
	}
	return nil
}
