package credential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sealAgain seals each credential with the current key.
func (c *KeyChain) sealAgain(ctx context.Context, done *Moved) error {
	paths, err := c.sealed()
	if err != nil {
		return err
	}
	for _, path := range paths {
		err := c.sealFile(path)
		switch {
		case err == nil:
			done.Records++
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile, by hand
		case errors.Is(err, errNotOurs):
			done.Skipped = append(done.Skipped, fmt.Errorf("file %s: %w", path, err))
		default:
			return fmt.Errorf("seal %s with the new key: %w", path, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// errNotOurs reports a file that no key opens: there is nothing in it to lose.
var errNotOurs = errors.New("not the record of a credential, or of another key")

func (c *KeyChain) sealFile(path string) error {
	grant, ok := unescape(strings.TrimSuffix(filepath.Base(path), sealedExt))
	if !ok {
		return errNotOurs
	}
	data, err := readSealed(path)
	if err != nil {
		return err
	}
	s := c.Sealer(purposeCredential)
	if sealed, ok := bytes.CutPrefix(data, []byte(header)); ok && s.current(sealed) {
		return nil // done before, or granted meanwhile
	}
	plain, err := openRecord(s, grant, data)
	if isKeyError(err) || errors.Is(err, errNewer) {
		return err // it may need the key before
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNotOurs, err)
	}
	if data, err = sealRecord(s, grant, plain); err != nil {
		return err
	}
	return replaceFile(path, data)
}

// sealed returns the paths of the sealed files, those of profiles included.
func (c *KeyChain) sealed() ([]string, error) {
	dirs := []string{c.opts.Credentials}
	profiles := filepath.Join(c.opts.Credentials, "profiles")
	entries, err := os.ReadDir(profiles)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for profiles: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(profiles, e.Name()))
		}
	}
	var paths []string
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for credentials: %w", err)
		}
		for _, f := range files {
			if name := f.Name(); !f.IsDir() && strings.HasSuffix(name, sealedExt) && !strings.HasPrefix(name, ".") {
				paths = append(paths, filepath.Join(dir, name))
			}
		}
	}
	return paths, nil
}
