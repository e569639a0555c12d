package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// sample makes a database at path with enough runs for branch pages and one that
// takes several pages, and returns its bytes. Its last two transactions change no
// run, so that nothing is lost with either meta page.
func sample(t *testing.T, path string) []byte {
	t.Helper()
	s, _, err := Open(path, Options{Writer: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string][]byte{"run_big": bytes.Repeat([]byte("x"), 20_000)}
	for i := range 300 {
		id := fmt.Sprintf("run_%04d", i)
		runs[id] = []byte(strings.Repeat(id, 8))
	}
	if err = errors.Join(s.ReplaceRuns(runs), s.ResetBoots(), s.ResetBoots(), s.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An image is a database file that a test damages.
type image struct {
	b []byte
	meta
}

func newImage(tb testing.TB, b []byte) image {
	tb.Helper()
	m, note, err := findMeta(bytes.NewReader(b))
	if err != nil || note != "" {
		tb.Fatal(note, err)
	}
	return image{bytes.Clone(b), m}
}

// page returns the bytes of a page, to be changed.
func (m image) page(id uint64) []byte {
	return m.b[int64(id)*m.pageSize:][:m.pageSize]
}

// runs returns the root page of the last bucket, that of the runs; it is a branch.
func (m image) runs() []byte {
	b := m.page(m.root)
	root := page{parseHeader(b), b}
	e, err := root.elem(int(root.count) - 1)
	if err != nil || !bytes.Equal(e.key, runsBucket) {
		panic("the last bucket of the sample is not that of the runs")
	}
	return m.page(native.Uint64(e.val))
}

// leaf returns the first leaf page of the runs.
func (m image) leaf() []byte {
	b := m.runs()
	e, err := page{parseHeader(b), b}.elem(0)
	if err != nil {
		panic(err)
	}
	return m.page(e.child)
}

// sign puts the meta page with the given id in order after a change.
func (m image) sign(id uint64) {
	b := m.page(id)[headerSize:]
	native.PutUint64(b[56:], metaSum(b[:56]))
}

// setMeta sets a number in both meta pages: 16 root, 32 freelist, 40 pages.
func (m image) setMeta(at int, n uint64) {
	for id := range uint64(2) {
		native.PutUint64(m.page(id)[headerSize+at:], n)
		m.sign(id)
	}
}

// damages are changes to the bytes of the sample after which it is no use.
var damages = []struct {
	name   string
	damage func(image) []byte
	want   string // in Recovery.Damage
}{
	{"cut in half", func(m image) []byte { return m.b[:len(m.b)/2] }, "cut short"},
	{"cut by one byte of the last page", func(m image) []byte { return m.b[:int64(m.pages)*m.pageSize-1] }, "cut short"},
	{"cut after the first page", func(m image) []byte { return m.b[:m.pageSize+10] }, "cut short"},
	{"cut to ten bytes", func(m image) []byte { return m.b[:10] }, "no database"},
	{"cut to nothing", func(image) []byte { return nil }, "the file is empty"},
	{"SQLite", func(image) []byte { return append([]byte("SQLite format 3\x00"), make([]byte, 8176)...) }, "no database"},
	{"text", func(image) []byte { return []byte(strings.Repeat("Dear diary,\n", 1000)) }, "no database"},
	{"JSON", func(image) []byte { return []byte(`{"version":1,"runs":[]}`) }, "no database"},
	{"random bytes", func(m image) []byte { return noise(len(m.b)) }, "no database"},
	{"zeros", func(m image) []byte { return make([]byte, len(m.b)) }, "no database"},
	{"both meta pages flipped", func(m image) []byte {
		m.page(0)[headerSize+20] ^= 1
		m.page(1)[headerSize+20] ^= 1
		return m.b
	}, "checksum"},
	{"both meta pages of another version", func(m image) []byte {
		m.page(0)[headerSize+4] = 9
		m.page(1)[headerSize+4] = 9
		return m.b
	}, "version 9"},
	{"a page size that is none", func(m image) []byte {
		for id := range uint64(2) {
			native.PutUint32(m.page(id)[headerSize+8:], 4097)
			m.sign(id)
		}
		return m.b
	}, "page size is 4097"},
	{"meta pages that disagree", func(m image) []byte {
		native.PutUint32(m.page(1)[headerSize+8:], 8192)
		m.sign(1)
		return m.b
	}, "has page size 8192"},
	{"more pages than the file has", func(m image) []byte { m.setMeta(40, math.MaxUint64); return m.b }, "cut short"},
	{"a root that is a meta page", func(m image) []byte { m.setMeta(16, 1); return m.b }, "page 1 is out of bounds"},
	{"a root beyond the file", func(m image) []byte { m.setMeta(16, 1<<40); return m.b }, "out of bounds"},
	{"a freelist that is a leaf", func(m image) []byte { m.setMeta(32, m.root); return m.b }, "used twice"},
	{"a freelist beyond the file", func(m image) []byte { m.setMeta(32, m.pages); return m.b }, "out of bounds"},
	{"the root page zeroed", func(m image) []byte { clear(m.page(m.root)); return m.b }, "bad header"},
	{"a root page of no type", func(m image) []byte { m.page(m.root)[8] = 0xff; return m.b }, "neither branch nor leaf"},
	{"a root that holds a value", func(m image) []byte { m.page(m.root)[headerSize] = 0; return m.b }, "flags"},
	{"a bucket whose page is gone", func(m image) []byte { clear(m.runs()); return m.b }, "bad header"},
	{"a branch that says it is a leaf", func(m image) []byte { m.runs()[8] = leafPage; return m.b }, "element"},
	{"a branch without a child", func(m image) []byte { clear(m.runs()[10:12]); return m.b }, "no elements"},
	{"a leaf without an element", func(m image) []byte { clear(m.leaf()[10:12]); return m.b }, "no elements"},
	{"a branch with a child beyond the file", func(m image) []byte { m.runs()[headerSize+14] = 1; return m.b }, "out of bounds"},
	{"a branch that is its own child", func(m image) []byte {
		b := m.runs()
		copy(b[headerSize+8:][:8], b)
		return m.b
	}, "used twice"},
	{"a branch with a child twice", func(m image) []byte {
		b := m.runs()
		copy(b[headerSize+elemSize+8:][:8], b[headerSize+8:][:8])
		return m.b
	}, "used twice"},
	{"a leaf with the number of another", func(m image) []byte { m.leaf()[0] ^= 1; return m.b }, "bad header"},
	{"a leaf that overflows the file", func(m image) []byte { m.leaf()[15] = 1; return m.b }, "bad header"},
	{"a leaf that overflows into the next", func(m image) []byte { m.leaf()[12] = 1; return m.b }, "used twice"},
	{"a leaf with too many elements", func(m image) []byte { m.leaf()[11] = 0xff; return m.b }, "do not fit"},
	{"a leaf whose key is elsewhere", func(m image) []byte { m.leaf()[headerSize+7] = 1; return m.b }, "out of bounds"},
	{"a leaf whose key is in its table", func(m image) []byte { clear(m.leaf()[headerSize+4:][:4]); return m.b }, "out of bounds"},
	{"a leaf with a key of no bytes", func(m image) []byte { clear(m.leaf()[headerSize+8:][:4]); return m.b }, "out of bounds"},
	{"a leaf whose value does not end", func(m image) []byte { m.leaf()[headerSize+15] = 0xff; return m.b }, "out of bounds"},
	{"keys out of order", func(m image) []byte {
		b := m.leaf()
		b[bytes.Index(b, []byte("run_0002"))+4] = 'z'
		return m.b
	}, "out of order"},
	{"a first key below that of the branch", func(m image) []byte {
		b := m.leaf()
		b[bytes.Index(b, []byte("run_0000"))] = 'a'
		return m.b
	}, "out of order"},
	{"a run that says it is a bucket", func(m image) []byte { m.leaf()[headerSize] = 1; return m.b }, "out of bounds"},
	{"a schema that is no number", func(m image) []byte {
		b := m.page(m.root)
		b[bytes.Index(b, []byte("schema1"))+6] = 'x'
		return m.b
	}, "schema"},
}

// noise returns n bytes that look random and are the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestADamagedFileIsMovedAside(t *testing.T) {
	good := sample(t, filepath.Join(t.TempDir(), "moatd.db"))
	for _, tt := range damages {
		t.Run(tt.name, func(t *testing.T) {
			bad := tt.damage(newImage(t, good))
			for _, backup := range []struct {
				name  string
				bytes []byte
				runs  int
			}{
				{"restored from its backup", good, 301},
				{"begun anew without one", nil, 0},
				{"begun anew when the backup is damaged too", bad, 0},
			} {
				t.Run(backup.name, func(t *testing.T) {
					if len(bad) == 0 && len(backup.bytes) == 0 {
						t.Skip("an empty file without a backup is a new one")
					}
					restores(t, bad, backup.bytes, tt.want, backup.runs)
				})
			}
		})
	}
}

// restores opens a file with the bytes bad, beside a backup if there are bytes
// for one, and checks all that Open promises.
func restores(t *testing.T, bad, backup []byte, want string, runs int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moatd.db")
	write(t, path, bad)
	if backup != nil {
		write(t, path+".bak", backup)
	}
	s, rec, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("Open = %v, want a store", err)
	}
	if !strings.Contains(rec.Damage, want) {
		t.Errorf("Recovery.Damage = %q, want %q in it", rec.Damage, want)
	}
	if (rec.Restored == path+".bak") != (runs > 0) || !strings.HasPrefix(rec.Kept, path+".corrupt-") {
		t.Errorf("Recovery = %+v, want the path of the backup if it was sound, and a kept file", rec)
	}
	if kept, err := os.ReadFile(rec.Kept); !bytes.Equal(kept, bad) || err != nil {
		t.Errorf("%s is not the damaged file, byte for byte: %v", rec.Kept, err)
	}
	works(t, s, runs)
}

// works checks that s has as many runs and takes another one, for good.
func works(t *testing.T, s *Store, runs int) {
	t.Helper()
	path := s.db.Path()
	for range 2 {
		if recs, err := s.Runs(); err != nil || len(recs) != runs {
			t.Errorf("%d runs, %v; want %d", len(recs), err, runs)
		}
		runs++
		if err := s.PutRun(fmt.Sprint("run_new_", runs), []byte("v")); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again, rec, err := Open(path, Options{})
		if err != nil || rec != (Recovery{}) {
			t.Fatalf("the next Open = %v, %v; want nothing to recover", rec, err)
		}
		s = again
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatCanBeMendedLosesNothing(t *testing.T) {
	good := sample(t, filepath.Join(t.TempDir(), "moatd.db"))
	for _, tt := range []struct {
		name   string
		damage func(image)
		want   string // in Recovery.Damage
	}{
		{"meta page 0 flipped", func(m image) { m.page(0)[headerSize+20] ^= 1 }, "meta page 0"},
		{"meta page 1 flipped", func(m image) { m.page(1)[headerSize+20] ^= 1 }, "meta page 1"},
		{"meta page 0 zeroed", func(m image) { clear(m.page(0)) }, "meta page 0"},
		{"meta page 1 zeroed", func(m image) { clear(m.page(1)) }, "meta page 1"},
		{"the header of meta page 0 zeroed", func(m image) { clear(m.page(0)[:headerSize]) }, "meta page 0"},
		{"the header of meta page 1 zeroed", func(m image) { clear(m.page(1)[:headerSize]) }, "meta page 1"},
		{"a page that is free", func(m image) { clear(m.page(m.freePage())) }, ""},
		{"the end of the file, that is not in use", func(m image) { copy(m.b[int64(m.pages)*m.pageSize:], noise(len(m.b))) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newImage(t, good)
			tt.damage(m)
			path := filepath.Join(t.TempDir(), "moatd.db")
			write(t, path, m.b)
			s, rec, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(rec.Damage, tt.want) || (rec.Damage == "") != (tt.want == "") || rec.Kept != "" {
				t.Errorf("Recovery = %+v, want %q and nothing moved aside", rec, tt.want)
			}
			works(t, s, 301)
		})
	}
}

// freePage returns a page that is not in use.
func (m image) freePage() uint64 {
	w := walker{r: bytes.NewReader(m.b), meta: m.meta, seen: map[uint64]bool{}}
	if err := w.tree(m.root, span{top: true}, 0); err != nil {
		panic(err)
	}
	for id := uint64(2); id < m.pages; id++ {
		if !w.seen[id] {
			return id
		}
	}
	panic("the sample has no free page")
}

func TestMissingBucketsAreCreated(t *testing.T) {
	for _, gone := range [][][]byte{{routesBucket}, {metaBucket}, {metaBucket, routesBucket}, {runsBucket}} {
		t.Run(fmt.Sprintf("%s", gone), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moatd.db")
			sample(t, path)
			edit(t, path, func(tx *bolt.Tx) error {
				for _, name := range gone {
					if err := tx.DeleteBucket(name); err != nil {
						return err
					}
				}
				return nil
			})
			want := 301
			if bytes.Equal(gone[0], runsBucket) {
				want = 0
			}
			s, rec, err := Open(path, Options{})
			if err != nil || rec != (Recovery{}) {
				t.Fatal(rec, err)
			}
			works(t, s, want)
		})
	}
}

// edit changes the database at path, which is closed, behind the store's back.
func edit(t *testing.T, path string, fn func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestADatabaseThatIsNotOursIsMovedAside(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*bolt.Tx) error
		want string
	}{
		{"another program's", func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("volumes"))
			for _, name := range [][]byte{metaBucket, runsBucket, routesBucket} {
				if err == nil {
					err = tx.DeleteBucket(name)
				}
			}
			return err
		}, "another program"},
		{"a bucket among the runs", func(tx *bolt.Tx) error {
			_, err := tx.Bucket(runsBucket).CreateBucket([]byte("deep"))
			return err
		}, `bucket "runs" has a bucket "deep" in it`},
		{"a schema below the first", func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(schemaKey, []byte("0")) }, "schema"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moatd.db")
			sample(t, path)
			edit(t, path, tt.edit)
			bad, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			restores(t, bad, nil, tt.want, 0)
		})
	}
}

func TestEachDamagedFileIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	kept := map[string]string{}
	for i := range 3 {
		text := fmt.Sprint("damage ", i)
		write(t, path, []byte(text))
		s, rec, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		kept[rec.Kept] = text
	}
	if len(kept) != 3 {
		t.Fatalf("three damaged files were kept as %v", kept)
	}
	for file, want := range maps.All(kept) {
		if got, err := os.ReadFile(file); string(got) != want || err != nil {
			t.Errorf("%s has %q, %v; want %q", file, got, err, want)
		}
	}
}

func TestRecoveryString(t *testing.T) {
	for _, tt := range []struct {
		rec  Recovery
		want string
	}{
		{Recovery{}, "nothing"},
		{Recovery{Damage: "D"}, "the database was damaged and has been mended: D"},
		{Recovery{Damage: "D", Kept: "K"}, "the database was damaged and is empty now; the damaged file is K: D"},
		{Recovery{"D", "K", "R"}, "the database was damaged and is restored from R; the damaged file is K: D"},
	} {
		if got := tt.rec.String(); got != tt.want {
			t.Errorf("%#v.String() = %q, want %q", tt.rec, got, tt.want)
		}
	}
}
