package store

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The buckets, and the keys of meta. Numbers are decimal text, times RFC 3339,
// so that `bbolt get` shows them.
var (
	metaBucket   = []byte("meta")
	runsBucket   = []byte("runs")   // run id to value
	routesBucket = []byte("routes") // agent to value

	schemaKey  = []byte("schema")
	writerKey  = []byte("writer")  // version of the last program that wrote the layout
	createdKey = []byte("created") // time
	bootsKey   = []byte("boots")   // starts in a row without ResetBoots
)

// A layout is what a version of the program expects in the file.
type layout struct {
	schema int

	// migrations[i] leads from schema i+1 to i+2; all that are needed run in
	// one transaction. There are schema-1 of them.
	migrations []func(*bolt.Tx) error
}

// current returns the layout of this program; tests have others.
func current() layout { return layout{schema: Schema} }

// schemaOf returns the schema of the file, 0 if it is empty. A file that lacks
// the number but has one of our buckets counts as the first.
func schemaOf(tx *bolt.Tx) (int, error) {
	if k, _ := tx.Cursor().First(); k == nil {
		return 0, nil
	}
	meta := tx.Bucket(metaBucket)
	if meta == nil && tx.Bucket(runsBucket) == nil && tx.Bucket(routesBucket) == nil {
		return 0, &damage{what: "a database of another program"}
	}
	if meta == nil || meta.Get(schemaKey) == nil {
		return 1, nil
	}
	n, err := strconv.Atoi(string(meta.Get(schemaKey)))
	if err != nil || n < 1 {
		return 0, &damage{what: "the schema is no number"}
	}
	return n, nil
}

// admit returns ErrNewer if the file is newer than l, and a *damage if it is not
// one of ours.
func (l layout) admit(tx *bolt.Tx) error {
	n, err := schemaOf(tx)
	if err != nil {
		return err
	}
	if n <= l.schema {
		return tx.ForEach(flat)
	}
	by := "an unknown version"
	if v := tx.Bucket(metaBucket).Get(writerKey); len(v) > 0 {
		by = string(v)
	}
	return fmt.Errorf("%w: it has schema %d, by %s, and this moatd knows up to %d: upgrade moatd", ErrNewer, n, by, l.schema)
}

// flat returns a *damage if there is a bucket in the bucket b.
func flat(name []byte, b *bolt.Bucket) error {
	return b.ForEachBucket(func(k []byte) error {
		return damaged(fmt.Sprintf("bucket %q has a bucket %q in it", name, k))
	})
}

// isOld reports whether the file needs a migration.
func (l layout) isOld(tx *bolt.Tx) (bool, error) {
	n, err := schemaOf(tx)
	return n > 0 && n < l.schema, err
}

// errSame ends a transaction that would change nothing.
var errSame = errors.New("nothing to change")

// update runs the migrations that are needed, creates what is missing and notes
// the writer, in one transaction. A file that is up to date is not written.
func (l layout) update(db *bolt.DB, writer string) error {
	err := db.Update(func(tx *bolt.Tx) error {
		migrated, err := l.migrate(tx)
		if err != nil {
			return err
		}
		created, err := l.create(tx, writer)
		if err == nil && !migrated && !created {
			return errSame
		}
		return err
	})
	if err == errSame { //nolint:errorlint // it is our own, from four lines above
		return nil
	}
	return err
}

// migrate runs the migrations that lead to l. The number of the schema is left to
// create.
func (l layout) migrate(tx *bolt.Tx) (changed bool, err error) {
	old, err := l.isOld(tx)
	if err != nil || !old {
		return false, err
	}
	n, err := schemaOf(tx)
	for ; err == nil && n < l.schema; n++ {
		if err = l.migrations[n-1](tx); err != nil {
			err = fmt.Errorf("migrate from schema %d to %d: %w", n, n+1, err)
		}
	}
	return true, err
}

// create adds the buckets that are missing and brings meta up to date.
func (l layout) create(tx *bolt.Tx, writer string) (changed bool, err error) {
	for _, name := range [][]byte{metaBucket, runsBucket, routesBucket} {
		if tx.Bucket(name) != nil {
			continue
		}
		if _, err := tx.CreateBucket(name); err != nil {
			return false, fmt.Errorf("create bucket %s: %w", name, err)
		}
		changed = true
	}
	meta := tx.Bucket(metaBucket)
	want := map[string]string{string(schemaKey): strconv.Itoa(l.schema)}
	if writer != "" {
		want[string(writerKey)] = writer
	}
	if meta.Get(createdKey) == nil {
		want[string(createdKey)] = time.Now().UTC().Format(time.RFC3339)
	}
	for key, val := range want {
		if string(meta.Get([]byte(key))) == val {
			continue
		}
		if err := meta.Put([]byte(key), []byte(val)); err != nil {
			return false, fmt.Errorf("store meta/%s: %w", key, err)
		}
		changed = true
	}
	return changed, nil
}
