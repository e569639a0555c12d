package store

import bolt "go.etcd.io/bbolt"

// PutRoutes stores val, the routes of agent, whose name is 1 to 32 768 bytes
// long, in place of any earlier value. When it returns nil, the record survives
// a power cut. It does not retain val.
func (s *Store) PutRoutes(agent string, val []byte) error {
	return s.update("store the routes of "+agent, func(tx *bolt.Tx) error {
		return tx.Bucket(routesBucket).Put([]byte(agent), val)
	})
}

// DeleteRoutes removes the routes of agent, if there are any. When it returns
// nil, that survives a power cut.
func (s *Store) DeleteRoutes(agent string) error {
	return s.update("delete the routes of "+agent, func(tx *bolt.Tx) error {
		return tx.Bucket(routesBucket).Delete([]byte(agent))
	})
}

// Routes returns the records of all agents by name. The values are copies that
// the caller owns.
func (s *Store) Routes() ([]Record, error) { return s.records("read the routes", routesBucket) }
