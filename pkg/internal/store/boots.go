package store

import (
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// CountBoot counts a start of the program, durably, and returns how many there
// have been in a row without [Store.ResetBoots], this one included. A caller that
// resets once it has been up for a while learns from a high count that it
// keeps crashing.
func (s *Store) CountBoot() (int, error) {
	var n int
	err := s.update("count the start", func(tx *bolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		last, err := strconv.Atoi(string(meta.Get(bootsKey)))
		if err != nil || last < 0 {
			last = 0 // absent, or of no use
		}
		n = last + 1
		return meta.Put(bootsKey, []byte(strconv.Itoa(n)))
	})
	return n, err
}

// ResetBoots makes the next [Store.CountBoot] return 1.
func (s *Store) ResetBoots() error {
	return s.update("reset the count of starts", func(tx *bolt.Tx) error {
		return tx.Bucket(metaBucket).Delete(bootsKey)
	})
}
