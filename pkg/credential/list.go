package credential

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// List implements [Store]. Directories, and files whose names begin with a dot,
// are not its concern; any other file that is no credential is named in the error.
func (s *FileStore) List(ctx context.Context) ([]Credential, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	if keys := s.keys.ring(); keys.err != nil && keys.current.raw == nil && keys.previous.raw == nil {
		return nil, fmt.Errorf("list credentials: %w", keys.err)
	}
	var all []Credential
	var errs []error
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		c, err := s.entry(ctx, e.Name())
		if err == nil {
			all = append(all, *c)
		} else if !errors.Is(err, ErrNotFound) { // deleted meanwhile
			errs = append(errs, err)
		}
	}
	sortByGrant(all)
	return all, errors.Join(errs...)
}

// entry reads the file called name, without the secret.
func (s *FileStore) entry(ctx context.Context, name string) (*Credential, error) {
	escaped, isSealed := strings.CutSuffix(name, sealedExt)
	grant, isGrant := unescape(escaped)
	if !isSealed || !isGrant {
		return nil, fmt.Errorf("file %s: not the name of a sealed credential", filepath.Join(s.dir, name))
	}
	c, err := s.Get(ctx, grant)
	if err != nil {
		return nil, err
	}
	public := c.public()
	return &public, nil
}

func sortByGrant(all []Credential) {
	slices.SortFunc(all, func(a, b Credential) int { return strings.Compare(a.Grant, b.Grant) })
}
