package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// maxDepth is the number of levels that a tree may have; 2^64 pages fit.
const maxDepth = 64

// verifyFile checks the pages of f, see [verify]. An empty file is in order.
func verifyFile(f *os.File) (note string, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return "", err
	}
	return verify(f, info.Size())
}

// verify checks each page that bbolt would follow in a file of size bytes. It is
// needed because bbolt trusts what it maps: a page number beyond the file faults
// and a cycle overflows the stack, in goroutines of its own, where no recover of
// ours can save the process. What passes here, bbolt can read.
//
// The note says which of the two meta pages is bad, if one is. The error is a
// *damage, or comes from r.
func verify(r io.ReaderAt, size int64) (note string, err error) {
	m, note, err := findMeta(r)
	if err != nil {
		return "", err
	}
	if m.pages > math.MaxInt64 || int64(m.pages) > size/m.pageSize {
		return "", damaged(fmt.Sprintf("it is cut short: %d bytes, for %d pages of %d", size, m.pages, m.pageSize))
	}
	w := walker{r: r, meta: m, seen: map[uint64]bool{}}
	if err := w.tree(m.root, span{top: true}, 0); err != nil {
		return "", err
	}
	return note, w.free()
}

// A walker goes through the pages of a file.
type walker struct {
	r    io.ReaderAt
	meta meta
	seen map[uint64]bool // pages in use or free
}

// A span is what is known of a subtree: its keys are in [lo, hi), where nil is
// no limit, and at the top there are only buckets.
type span struct {
	lo, hi []byte
	top    bool
}

// page reads the page id, which must not have been seen.
func (w *walker) page(id uint64) (page, error) {
	if id < 2 || id >= w.meta.pages {
		return page{}, damaged(fmt.Sprintf("page %d is out of bounds", id))
	}
	p, err := w.read(id, w.meta.pageSize)
	if err != nil {
		return p, err
	}
	size := (int64(p.overflow) + 1) * w.meta.pageSize
	if p.id != id || uint64(p.overflow) >= w.meta.pages-id || size > maxSize {
		return p, damaged(fmt.Sprintf("page %d has a bad header", id))
	}
	for i := range uint64(p.overflow) + 1 {
		if err := w.see(id + i); err != nil {
			return p, err
		}
	}
	if p.overflow == 0 {
		return p, nil
	}
	return w.read(id, size)
}

// read reads size bytes from the page id on. The sizes that it is asked for are
// within the file, so an end of file means that someone is cutting it right now.
func (w *walker) read(id uint64, size int64) (page, error) {
	b := make([]byte, size)
	_, err := w.r.ReadAt(b, int64(id)*w.meta.pageSize) //nolint:gosec // less than the size of the file
	if errors.Is(err, io.EOF) {
		return page{}, damaged("it is cut short")
	}
	return page{parseHeader(b), b}, err
}

// see notes that a page is in use. That none is used twice also means that there
// is no cycle.
func (w *walker) see(id uint64) error {
	if w.seen[id] {
		return damaged(fmt.Sprintf("page %d is used twice", id))
	}
	w.seen[id] = true
	return nil
}

// tree checks the tree below the page id.
func (w *walker) tree(id uint64, s span, depth int) error {
	if depth > maxDepth {
		return damaged("the tree is too deep")
	}
	p, err := w.page(id)
	if err != nil {
		return err
	}
	elems, err := elements(p, s)
	if err != nil {
		return damaged(fmt.Sprintf("page %d: %v", id, err))
	}
	for i, e := range elems {
		if p.flags == leafPage {
			err = w.value(e, s.top, depth)
		} else {
			below := span{e.key, s.hi, s.top}
			if i+1 < len(elems) {
				below.hi = elems[i+1].key
			}
			err = w.tree(e.child, below, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// elements returns the elements of a branch or leaf page, whose keys must ascend
// and lie in s.
func elements(p page, s span) ([]elem, error) {
	if p.flags != leafPage && p.flags != branchPage {
		return nil, fmt.Errorf("it is neither branch nor leaf (%#x)", p.flags)
	}
	if p.count == 0 && (p.flags == branchPage || s.lo != nil) {
		return nil, errors.New("it has no elements") // only a root may be so, that of an empty bucket
	}
	elems := make([]elem, p.count)
	low := s.lo // the first key may equal it
	for i := range elems {
		e, err := p.elem(i)
		if err != nil {
			return nil, err
		}
		cmp := bytes.Compare(low, e.key)
		if cmp > 0 || (cmp == 0 && i > 0) || (s.hi != nil && bytes.Compare(e.key, s.hi) >= 0) {
			return nil, fmt.Errorf("key %d is out of order", i)
		}
		elems[i], low = e, e.key
	}
	return elems, nil
}

// value checks the value of a leaf's element: any bytes, or a bucket.
func (w *walker) value(e elem, top bool, depth int) error {
	if e.flags > bucketFlag || (top && e.flags != bucketFlag) {
		return damaged(fmt.Sprintf("an element has flags %#x", e.flags))
	}
	if e.flags != bucketFlag {
		return nil
	}
	if len(e.val) < bucketSize {
		return damaged("a bucket is cut short")
	}
	if root := native.Uint64(e.val); root != 0 {
		return w.tree(root, span{}, depth+1)
	}
	return inline(e.val[bucketSize:])
}

// inline checks a bucket that is small enough to be a value, with no bucket in it.
func inline(b []byte) error {
	if len(b) < headerSize {
		return damaged("a bucket is cut short")
	}
	p := page{parseHeader(b), b}
	elems, err := elements(p, span{})
	if err != nil {
		return damaged(fmt.Sprintf("a bucket: %v", err))
	}
	for _, e := range elems {
		if p.flags != leafPage || e.flags != 0 {
			return damaged("a small bucket holds more than values")
		}
	}
	return nil
}

// free checks the freelist, if the file has one: with it, each page is either in
// use or free.
func (w *walker) free() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return damaged(fmt.Sprintf("page %d is no freelist", p.id))
	}
	ids, err := p.ids()
	if err != nil {
		return damaged(fmt.Sprintf("page %d: %v", p.id, err))
	}
	for _, id := range ids {
		if id < 2 || id >= w.meta.pages {
			return damaged(fmt.Sprintf("free page %d is out of bounds", id))
		}
		if err := w.see(id); err != nil {
			return err
		}
	}
	if uint64(len(w.seen)) != w.meta.pages-2 {
		return damaged("pages are neither free nor in use")
	}
	return nil
}
