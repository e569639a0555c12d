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
	f, err := createFile(tmp)
	if err != nil {
		return err
	}
	err = guard(func() error { return s.db.View(func(tx *bolt.Tx) error { return snapshot(tx, f) }) })
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, dst); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dst))
}

// snapshot writes what tx sees to f, on disk, and makes sure that it is sound.
func snapshot(tx *bolt.Tx, f *os.File) error {
	if _, err := tx.WriteTo(f); err != nil {
		return err
	}
	if _, err := verifyFile(f); err != nil {
		return err
	}
	return f.Sync()
}
