package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Backup writes a consistent copy of the database to PATH.bak, durably, in place
// of the last one. Writers go on meanwhile. If the database turns out to be
// damaged, the last backup stays.
func (s *Store) Backup() error {
	s.backup.Lock()
	defer s.backup.Unlock()
	dst := s.db.Path() + ".bak"
	if err := s.backupTo(dst); err != nil {
		return fmt.Errorf("back up to %s: %w", dst, err)
	}
	return nil
}

func (s *Store) backupTo(dst string) error {
	tmp := dst + ".new"
	if err := copyFile(tmp, ""); err != nil {
		return err
	}
	f, err := openOwned(tmp, existing)
	if err != nil {
		return err
	}
	err = guard(func() error { return s.db.View(func(tx *bolt.Tx) error { _, err := tx.WriteTo(f); return err }) })
	if err == nil {
		_, err = verifyFile(f)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, dst); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dst))
}
