package store

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// tiny makes a database with small pages and, if synced, a freelist in the file;
// it returns its bytes.
func tiny(tb testing.TB, pageSize int, synced bool) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "tiny.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: pageSize, NoFreelistSync: !synced})
	if err != nil {
		tb.Fatal(err)
	}
	for _, n := range []int{20, 60, 3} {
		if err = db.Update(func(tx *bolt.Tx) error { return putMany(tx, n) }); err != nil {
			tb.Fatal(err)
		}
	}
	if err = db.Close(); err != nil {
		tb.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// putMany puts n values of n bytes into each of two buckets.
func putMany(tx *bolt.Tx, n int) error {
	for _, name := range [][]byte{metaBucket, runsBucket} {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		for i := range n {
			if err := b.Put([]byte{'k', byte(i)}, bytes.Repeat([]byte("v"), n)); err != nil {
				return err
			}
		}
	}
	return tx.Bucket(metaBucket).Put(schemaKey, []byte("1"))
}

func TestVerifyAcceptsWhatBboltWrites(t *testing.T) {
	for _, pageSize := range []int{1 << 10, 1 << 12, 1 << 14, 1 << 16} {
		for _, synced := range []bool{true, false} {
			b := tiny(t, pageSize, synced)
			if note, err := verify(bytes.NewReader(b), int64(len(b))); note != "" || err != nil {
				t.Errorf("verify(pages of %d, freelist %v) = %q, %v; want nothing", pageSize, synced, note, err)
			}
			clear(b[:64]) // page 1 has to be found
			if note, err := verify(bytes.NewReader(b), int64(len(b))); !strings.Contains(note, "page 0") || err != nil {
				t.Errorf("verify(no meta page 0, pages of %d) = %q, %v; want a note", pageSize, note, err)
			}
		}
	}
}

func TestVerifyLooksAtTheFreelist(t *testing.T) {
	good := tiny(t, 1<<10, true)
	for _, tt := range []struct {
		name   string
		damage func(free, root []byte)
		want   string // in the error
	}{
		{"a page that is none", func(free, _ []byte) { free[8] = leafPage }, "no freelist"},
		{"more pages than fit", func(free, _ []byte) { free[11] = 0x7f }, "do not fit"},
		{"more pages than fit, counted in the page", func(free, _ []byte) { free[10], free[11], free[22] = 0xff, 0xff, 1 }, "do not fit"},
		{"a page beyond the file", func(free, _ []byte) { free[headerSize+5] = 1 }, "free page"},
		{"a page in use", func(free, root []byte) { copy(free[headerSize:][:8], root) }, "used twice"},
		{"a page twice", func(free, _ []byte) { copy(free[headerSize:][:8], free[headerSize+8:]) }, "used twice"},
		{"a page missing", func(free, _ []byte) { free[10]-- }, "neither free nor in use"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newImage(t, good)
			tt.damage(m.page(m.freelist), m.page(m.root))
			_, err := verify(bytes.NewReader(m.b), int64(len(m.b)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("verify = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestAFailingDiskIsNoDamage(t *testing.T) {
	good := tiny(t, 1<<12, false)
	for limit := range len(good) / (1 << 12) {
		r := failing{bytes.NewReader(good), int64(limit) << 12}
		_, err := verify(r, int64(len(good)))
		if _, bad := errors.AsType[*damage](err); bad {
			t.Errorf("verify with a disk that fails from page %d = %v, want no damage", limit, err)
		}
	}
	r := failing{bytes.NewReader(good), 0}
	if _, err := verify(r, int64(len(good))); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("verify with a disk that fails = %v, want its error", err)
	}
}

// failing is a disk that fails from an offset on.
type failing struct {
	r    io.ReaderAt
	from int64
}

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off >= f.from {
		return 0, io.ErrNoProgress
	}
	return f.r.ReadAt(b, off)
}

// TestNoFlippedBytesStopTheProgram has the random twin of the table of damages:
// whatever the bytes, Open returns a store that works.
func TestNoFlippedBytesStopTheProgram(t *testing.T) {
	good := sample(t, filepath.Join(t.TempDir(), "moatd.db"))
	rounds := 300
	if testing.Short() {
		rounds = 40
	}
	damaged := 0
	for seed := range uint64(rounds) {
		m := newImage(t, good)
		flip(rand.New(rand.NewPCG(seed, 0)), m)
		path := filepath.Join(t.TempDir(), "moatd.db")
		write(t, path, m.b)
		s, rec, err := Open(path, Options{})
		if errors.Is(err, ErrNewer) {
			continue // it is the schema that was hit
		}
		if err != nil {
			t.Fatalf("seed %d: Open = %v", seed, err)
		}
		if rec.Damage != "" {
			damaged++
		}
		recs, err := s.Runs()
		if err != nil {
			t.Fatalf("seed %d: Runs = %v", seed, err)
		}
		if err := s.PutRun("zzz", nil); err != nil { // behind all others, in their last page
			t.Fatalf("seed %d: PutRun = %v", seed, err)
		}
		if err := s.ReplaceRuns(nil); err != nil {
			t.Fatalf("seed %d: ReplaceRuns with %d runs = %v", seed, len(recs), err)
		}
		works(t, s, 0)
	}
	if damaged < rounds/4 {
		t.Errorf("only %d of %d files were found damaged; the flips miss what matters", damaged, rounds)
	}
}

// flip changes one to eight bytes of the pages in use: half of them in a header or
// a table of elements, and in every other file with the meta pages signed.
func flip(r *rand.Rand, m image) {
	for range 1 + r.IntN(8) {
		id := r.Uint64N(m.pages)
		at := r.IntN(int(m.pageSize))
		if r.IntN(2) == 0 {
			at = r.IntN(8 * elemSize)
		}
		m.page(id)[at] = byte(r.Uint32())
	}
	if r.IntN(2) == 0 {
		m.sign(0)
		m.sign(1)
	}
}

// FuzzVerify: what verify accepts, bbolt can open, check, read and write; if it
// could not, it would take the fuzzer down.
func FuzzVerify(f *testing.F) {
	f.Add(tiny(f, 1<<10, true))
	f.Add(tiny(f, 1<<10, false))
	f.Add([]byte("SQLite format 3\x00"))
	path := filepath.Join(f.TempDir(), "fuzz.db")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, at := range []int{0, 1 << 10} { // or hardly any change would get beyond the meta pages
			if len(b) >= at+metaSize {
				m := b[at+headerSize:]
				native.PutUint64(m[56:], metaSum(m[:56]))
			}
		}
		if _, err := verify(bytes.NewReader(b), int64(len(b))); err != nil {
			return
		}
		write(t, path, b)
		file, err := openLocked(path, existing, 0)
		if err != nil {
			t.Fatal(err)
		}
		db, _, err := inspect(file, current())
		if err != nil {
			return
		}
		s := &Store{db: db, turn: make(chan struct{}, 1)}
		defer s.Close()
		if err := s.prepare(Options{}, current()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.PutRun("k", nil), s.PutRun("z", nil), s.ReplaceRuns(nil)); err != nil {
			t.Fatal(err)
		}
		if note, err := verifyFile(file); note != "" || err != nil {
			t.Fatalf("after writing: %q, %v", note, err)
		}
	})
}
