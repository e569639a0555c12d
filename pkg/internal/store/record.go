package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The lock record is the only key of a database of its own. It cannot live in
// moatd.db, where a reader would wait for as long as the daemon runs.
var (
	lockBucket = []byte("lock")
	infoKey    = []byte("info")
)

// recordWait is how long a record's file is waited for: others hold it for a
// millisecond or two.
const recordWait = 2 * time.Second

// WriteRecord stores val, durably, in the file at path, which it creates if need
// be. The file is open only during the call. A damaged file is begun anew, since
// nothing in it would be kept anyway. The error is [ErrLocked] if others hold the
// file for more than 2 s.
func WriteRecord(path string, val []byte) error {
	err := changeRecord(path, readWrite, func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(lockBucket)
		if err != nil {
			return err
		}
		return b.Put(infoKey, val)
	})
	if err != nil {
		return fmt.Errorf("write the record %s: %w", path, err)
	}
	return nil
}

// ReadRecord returns what [WriteRecord] stored in the file at path, nil if there
// is no file or no record in it. The caller owns the result. The error is
// [ErrLocked] if others hold the file for more than 2 s.
func ReadRecord(path string) ([]byte, error) {
	val, err := readRecord(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record %s: %w", path, err)
	}
	return val, nil
}

// RemoveRecord removes the record from the file at path, durably. The file
// stays: one who has just opened it would write into a file without a name.
func RemoveRecord(path string) error {
	err := changeRecord(path, existing, func(tx *bolt.Tx) error {
		if b := tx.Bucket(lockBucket); b != nil {
			return b.Delete(infoKey)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the record %s: %w", path, err)
	}
	return nil
}

// changeRecord applies a change to the file at path, durably, and with it the
// entry of a new file in its directory.
func changeRecord(path string, flag int, apply func(*bolt.Tx) error) error {
	f, err := openLocked(path, flag, recordWait)
	if err != nil {
		return err
	}
	created, err := emptyIfDamaged(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	db, err := openBolt(f, false)
	if err != nil {
		_ = f.Close() // unless bbolt has
		return err
	}
	err = guard(func() error { return db.Update(apply) })
	if err = errors.Join(err, db.Close()); err == nil && created {
		err = syncDir(filepath.Dir(path))
	}
	return err
}

// emptyIfDamaged makes f, which is locked, a file that bbolt can open: empty,
// which it reports, or sound. It does not unlink f; see [RemoveRecord].
func emptyIfDamaged(f *os.File) (empty bool, err error) {
	_, err = verifyFile(f)
	if _, ok := errors.AsType[*damage](err); ok {
		err = f.Truncate(0)
	}
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	return err == nil && info.Size() == 0, err
}

// readRecord is [ReadRecord] where no file is an error.
func readRecord(path string) (val []byte, err error) {
	f, err := openLocked(path, readOnly, recordWait)
	if err != nil {
		return nil, err
	}
	defer f.Close() // again, in most cases
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	if _, err = verifyFile(f); err != nil {
		return nil, err
	}
	db, err := openBolt(f, true)
	if err != nil {
		return nil, err
	}
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			if b := tx.Bucket(lockBucket); b != nil {
				val = bytes.Clone(b.Get(infoKey))
			}
			return nil
		})
	})
	return val, errors.Join(err, db.Close())
}
