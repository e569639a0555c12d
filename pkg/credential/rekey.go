package credential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Moved says what a move to another key has done.
type Moved struct {
	From, To KeyPlace
	Records  int // credentials that are sealed with the new key, those of profiles included
	// Skipped names the files that no key opens; they are as they were.
	Skipped []error
}

// Rekey makes a new key in to and moves everything to it: the credentials, those
// of profiles, and what others keep sealed, which seal again does, by
// [Sealer.Open] and [Sealer.Seal]. Meanwhile the chain opens what either key has
// sealed, and no other process changes a credential.
//
// When the process ends at any point, or Rekey fails, either key opens what it
// has sealed, and [KeyChain.Finish] goes on where it ended. The old key is
// removed when nothing needs it any more; one that systemd gave stays, as it is
// not ours.
func (c *KeyChain) Rekey(ctx context.Context, to KeySource, again func(context.Context) error) (Moved, error) {
	if err := c.Unlock(ctx); err != nil {
		return Moved{}, err
	}
	release, err := flock(ctx, c.lockPath(), syscall.LOCK_EX)
	if err != nil {
		return Moved{}, err
	}
	defer release()
	if err := c.Unlock(ctx); err != nil { // another process may have moved it meanwhile
		return Moved{}, err
	}
	if c.Moving() {
		if _, err := c.finish(ctx, again); err != nil {
			return Moved{}, err
		}
	}
	if err := c.ready(ctx); err != nil {
		return Moved{}, err
	}
	if err := c.begin(ctx, to); err != nil {
		return Moved{}, err
	}
	return c.finish(ctx, again)
}

// ready looks for what would stop a move half way, and removes what one that
// ended before its new key was noted has left: nothing was sealed with it.
func (c *KeyChain) ready(ctx context.Context) error {
	if next := c.state.Load().rec.Next; next != nil {
		_ = c.fromKeyring(ctx, next.ID) // where that fails it stays, and opens nothing
	}
	paths, err := c.sealed()
	if err != nil {
		return err
	}
	for _, path := range paths {
		var data []byte
		data, err = readSealed(path)
		if err == nil && !bytes.HasPrefix(data, []byte(header)) && bytes.HasPrefix(data, []byte(headerName)) {
			err = errNewer
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("file %s: %w; move it away first", path, err)
		}
	}
	strays, err := filepath.Glob(c.newKeyFile("*"))
	if err != nil {
		return err
	}
	for _, path := range strays {
		if path == c.newKeyFile(c.Place().ID) {
			continue
		}
		if err := remove(path); err != nil {
			return err
		}
	}
	return nil
}

// Finish ends a move that was begun, if there is one, as [KeyChain.Rekey] does.
func (c *KeyChain) Finish(ctx context.Context, again func(context.Context) error) (Moved, error) {
	if !c.Moving() {
		return Moved{}, nil
	}
	release, err := flock(ctx, c.lockPath(), syscall.LOCK_EX)
	if err != nil {
		return Moved{}, err
	}
	defer release()
	if err := c.Unlock(ctx); err != nil {
		return Moved{}, err
	}
	return c.finish(ctx, again)
}

// begin makes the new key, and notes both before the first use of it.
func (c *KeyChain) begin(ctx context.Context, to KeySource) error {
	old := c.state.Load()
	if to == KeyAuto {
		to = c.suits(ctx)
	}
	key, err := c.create(ctx, to, func(id string) error {
		return c.note(keyRecord{Current: old.rec.Current, Next: &KeyPlace{to, id}}, old.ring)
	})
	if err != nil {
		return err
	}
	if key.ID() == old.rec.Current.ID {
		return fmt.Errorf("the credential of systemd is the key %s that there is; move to a file, exchange the credential, and move back", key.ID())
	}
	was := old.rec.Current
	return c.note(keyRecord{Current: KeyPlace{to, key.ID()}, Previous: &was}, ring{current: key, previous: old.ring.current})
}

// note makes rec and ring the ones that count, on disk first.
func (c *KeyChain) note(rec keyRecord, keys ring) error {
	text, err := writeKeyRecord(c.recordPath(), rec)
	if err != nil {
		return err
	}
	c.asking.Lock()
	defer c.asking.Unlock()
	c.set(keyState{rec: rec, text: text, ring: keys})
	return nil
}

// finish seals all again, and removes the key before.
func (c *KeyChain) finish(ctx context.Context, again func(context.Context) error) (done Moved, err error) {
	state := c.state.Load()
	if state.rec.Previous == nil {
		return done, nil
	}
	done.From, done.To = *state.rec.Previous, state.rec.Current
	if !state.rec.Moved {
		if err := c.sealAgain(ctx, &done); err != nil {
			return done, err
		}
		if err := again(ctx); err != nil {
			return done, fmt.Errorf("seal the runs with the new key: %w", err)
		}
		moved := state.rec
		moved.Moved = true
		if err := c.note(moved, ring{current: state.ring.current}); err != nil {
			return done, err
		}
	}
	if err := c.forget(ctx, done.From, done.To); err != nil {
		return done, fmt.Errorf("everything has moved, but the key before, %s, is still there: %w", done.From.ID, err)
	}
	return done, c.note(keyRecord{Current: done.To}, ring{current: state.ring.current})
}

// forget removes the key before, and puts a new one in a file in its place.
func (c *KeyChain) forget(ctx context.Context, old, now KeyPlace) error {
	if old.Source == KeyInKeyring {
		if err := c.fromKeyring(ctx, old.ID); err != nil {
			return err
		}
	}
	if old.Source == KeyInFile {
		if err := c.forgetFile(old.ID); err != nil {
			return err
		}
	}
	if path := c.newKeyFile(now.ID); now.Source == KeyInFile && exists(path) && !exists(c.keyFile()) {
		if err := rename(path, c.keyFile()); err != nil {
			return err
		}
		return syncDir(c.opts.Home)
	}
	return nil
}

// forgetFile removes the file of the key id, and no other.
func (c *KeyChain) forgetFile(id string) error {
	for _, path := range []string{c.newKeyFile(id), c.keyFile()} {
		key, err := LoadKey(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && key.ID() != id {
			continue
		}
		if err != nil {
			return err
		}
		if err := remove(path); err != nil {
			return err
		}
	}
	return syncDir(c.opts.Home)
}
