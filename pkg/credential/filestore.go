package credential

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	sealedExt = ".sealed"
	// maxFile is the size in bytes up to which a file is written and read: the
	// longest secrets in base64, with room for the rest.
	maxFile = 4 * maxSecret
	// tempAge is when a file that is not whole counts as left behind. A write
	// takes milliseconds.
	tempAge = time.Hour
	// purposeCredential is what the key is for that seals a credential.
	purposeCredential = "credential"
)

var _ Store = (*FileStore)(nil)

// FileStore is a [Store] of one sealed file for each grant. Several processes
// may use one directory at the same time.
type FileStore struct {
	dir    string
	keys   keyHolder
	sealer *Sealer
}

// OpenFileStore opens the store in dir. It makes dir, and takes away everybody
// else's access to it. It does not read the files: one that is damaged shows
// when it is asked for.
func OpenFileStore(dir string, key Key) (*FileStore, error) {
	if key.raw == nil {
		return nil, fmt.Errorf("open credentials in %s: %w", dir, errNoKey)
	}
	return openFileStore(dir, fixed{current: key})
}

func openFileStore(dir string, keys keyHolder) (*FileStore, error) {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o700) //nolint:gosec // a directory needs its x
	}
	if err == nil {
		err = sweepTemps(dir, tempAge)
	}
	if err != nil {
		return nil, fmt.Errorf("open credentials in %s: %w", dir, err)
	}
	return &FileStore{dir: dir, keys: keys, sealer: &Sealer{keys, purposeCredential}}, nil
}

// Dir is the directory, for those who watch it.
func (s *FileStore) Dir() string { return s.dir }

func (s *FileStore) path(grant string) string { return filepath.Join(s.dir, escape(grant)+sealedExt) }

// Get implements [Store].
func (s *FileStore) Get(ctx context.Context, grant string) (*Credential, error) {
	if err := checkName(ctx, grant); err != nil {
		return nil, err
	}
	c, err := s.read(grant)
	if errors.Is(err, ErrWrongKey) && s.keys.again(ctx) {
		c, err = s.read(grant)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("credential %s: %w", grant, ErrNotFound)
	}
	if isKeyError(err) {
		return nil, fmt.Errorf("credential %s: %w", grant, err) // the file is as good as ever
	}
	if err != nil {
		return nil, fmt.Errorf("credential %s: file %s: %w", grant, s.path(grant), err)
	}
	return c, nil
}

func (s *FileStore) read(grant string) (*Credential, error) {
	data, err := readSealed(s.path(grant))
	if err != nil {
		return nil, err
	}
	c, err := openCredential(s.sealer, grant, data)
	if err != nil {
		return nil, err
	}
	c.fingerprint = s.fingerprint(c.Secret)
	return c, nil
}

// fingerprint is "" while there is no key to make it with.
func (s *FileStore) fingerprint(secret Secret) string {
	prints, err := newFingerprinter(s.keys.ring().current)
	if err != nil {
		return ""
	}
	return prints(secret)
}

func readSealed(path string) ([]byte, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, maxFile)
}

// Put implements [Store].
func (s *FileStore) Put(ctx context.Context, c *Credential) error {
	if err := checkPut(ctx, c); err != nil {
		return err
	}
	if err := s.put(ctx, c); err != nil {
		return fmt.Errorf("store credential %s: %w", c.Grant, err)
	}
	c.fingerprint = s.fingerprint(c.Secret)
	return nil
}

func (s *FileStore) put(ctx context.Context, c *Credential) error {
	release, err := s.keys.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return s.write(ctx, c)
}

// write puts c into its file. The caller holds the lock.
func (s *FileStore) write(ctx context.Context, c *Credential) error {
	s.keys.again(ctx) // nothing may be sealed any more with a key that was replaced
	data, err := sealCredential(s.sealer, c)
	if err != nil {
		return err
	}
	return replaceFile(s.path(c.Grant), data)
}

// Delete implements [Store].
func (s *FileStore) Delete(ctx context.Context, grant string) error {
	if err := checkName(ctx, grant); err != nil {
		return err
	}
	release, err := s.keys.lock(ctx)
	if err != nil {
		return fmt.Errorf("delete credential %s: %w", grant, err)
	}
	defer release()
	err = remove(s.path(grant))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("credential %s: %w", grant, ErrNotFound)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return fmt.Errorf("delete credential %s: %w", grant, err)
	}
	return nil
}
