package store

import (
	"bytes"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A Record is a stored value and its id.
type Record struct {
	ID  string
	Val []byte
}

// PutRun stores val under id, which is 1 to 32 768 bytes long, in place of any
// earlier value. When it returns nil, the record survives a power cut. It does
// not retain val.
func (s *Store) PutRun(id string, val []byte) error {
	return s.update("store run "+id, func(tx *bolt.Tx) error {
		return tx.Bucket(runsBucket).Put([]byte(id), val)
	})
}

// DeleteRun removes the record of id, if there is one. When it returns nil, that
// survives a power cut.
func (s *Store) DeleteRun(id string) error {
	return s.update("delete run "+id, func(tx *bolt.Tx) error {
		return tx.Bucket(runsBucket).Delete([]byte(id))
	})
}

// ReplaceRuns makes runs, values by id, the only records, in one transaction.
// When it returns nil, that survives a power cut; when it does not, nothing has
// changed. It does not retain the map or its values.
func (s *Store) ReplaceRuns(runs map[string][]byte) error {
	ids := slices.Sorted(maps.Keys(runs))
	return s.update("replace the runs", func(tx *bolt.Tx) error {
		if err := tx.DeleteBucket(runsBucket); err != nil {
			return err
		}
		b, err := tx.CreateBucket(runsBucket)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := b.Put([]byte(id), runs[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Runs returns all records by id. The values are copies that the caller owns.
func (s *Store) Runs() ([]Record, error) { return s.records("read the runs", runsBucket) }

// records returns the records of a bucket; what names the attempt in the error.
func (s *Store) records(what string, bucket []byte) ([]Record, error) {
	var recs []Record
	err := s.view(what, func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(id, val []byte) error {
			recs = append(recs, Record{string(id), bytes.Clone(val)})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return recs, nil
}
