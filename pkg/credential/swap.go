package credential

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// ErrChanged reports that another credential is stored by now.
var ErrChanged = errors.New("changed meanwhile")

// Swap stores next in place of old, as [Store.Put] does, if old is what is stored;
// else it stores nothing and returns [ErrChanged], or [ErrNotFound] if the
// credential was deleted: a secret that was renewed takes the place of none that
// was granted meanwhile, and brings none back that was revoked. Only a store of a
// [KeyChain] keeps others from storing between the look and the change.
func (s *FileStore) Swap(ctx context.Context, old, next *Credential) error {
	if err := checkPut(ctx, next); err != nil {
		return err
	}
	release, err := s.keys.lockAlone(ctx)
	if err != nil {
		return fmt.Errorf("store credential %s: %w", next.Grant, err)
	}
	defer release()
	now, err := s.Get(ctx, old.Grant)
	if err != nil {
		return err
	}
	if !now.Equal(*old) || next.Grant != old.Grant {
		return fmt.Errorf("credential %s: %w", old.Grant, ErrChanged)
	}
	if err = s.write(ctx, next); err != nil {
		return fmt.Errorf("store credential %s: %w", next.Grant, err)
	}
	next.fingerprint = s.fingerprint(next.Secret)
	return nil
}

// Hold keeps other processes, and other callers in this one, from holding the
// grant until release is called or the process ends: who spends what can be spent
// once does so alone. It waits for others until ctx ends. It keeps nobody from
// storing a credential.
func (s *FileStore) Hold(ctx context.Context, grant string) (release func(), err error) {
	if err = checkName(ctx, grant); err != nil {
		return nil, err
	}
	release, err = flock(ctx, filepath.Join(s.dir, ".hold-"+escape(grant)), syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("hold credential %s: %w", grant, err)
	}
	return release, nil
}
