package store

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// A change is what one caller wants done to the database. Its err is set before
// done is closed and not touched afterwards.
type change struct {
	apply func(*bolt.Tx) error // may run twice, in two transactions
	err   error
	done  chan struct{}
}

// update applies a change and returns when it is on disk; what names the
// attempt in the error. Callers that wait at the same time share a transaction:
// whoever gets the turn commits for all that are in the queue, so a lone caller
// is never delayed, and no goroutine is needed.
func (s *Store) update(what string, apply func(*bolt.Tx) error) error {
	c := s.enqueue(apply)
	select {
	case <-c.done:
	case s.turn <- struct{}{}:
		s.commit(s.take())
		<-s.turn
	}
	// The one who had the turn before us took c, or we did.
	if c.err != nil {
		return fmt.Errorf("%s: %w", what, c.err)
	}
	return nil
}

// enqueue puts a change behind all that wait.
func (s *Store) enqueue(apply func(*bolt.Tx) error) *change {
	c := &change{apply: apply, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, c)
	return c
}

// take empties the queue.
func (s *Store) take() []*change {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	s.queue = nil
	return batch
}

// commit applies the changes in one transaction. If that fails, each gets one of
// its own, so that only the bad one fails.
func (s *Store) commit(batch []*change) {
	if len(batch) == 0 {
		return
	}
	err := s.transact(batch)
	for i, c := range batch {
		c.err = err
		if err != nil && len(batch) > 1 {
			c.err = s.transact(batch[i : i+1])
		}
		close(c.done)
	}
}

// transact applies the changes in order, in one transaction: all or none. A panic
// of bbolt or of a change is an error of the transaction, not the end of the daemon.
func (s *Store) transact(batch []*change) error {
	return guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			for _, c := range batch {
				if err := c.apply(tx); err != nil {
					return err
				}
			}
			if s.beforeCommit != nil {
				s.beforeCommit()
			}
			return nil
		})
	})
}
