package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The layout of bbolt's file format, version 2. Numbers are in the byte order of
// the machine. A page begins with a header: id (8 bytes), flags (2), count of
// elements (2), overflow, the number of further pages that it spans (4).
const (
	headerSize = 16
	elemSize   = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	// A meta page has, after its header: magic, version, page size, flags (4
	// bytes each), root page and sequence of the root bucket, freelist page,
	// number of pages, transaction, FNV-64a of all that (8 bytes each).
	metaSize    = headerSize + 64
	magic       = 0xED0CDAED
	version     = 2
	noFreelist  = math.MaxUint64
	minPageSize = 1 << 10
	maxPageSize = 1 << 24

	// The value of a bucket begins with its root page and its sequence (8 bytes
	// each). Root page 0 means that a leaf page follows in the value.
	bucketSize = 16
	bucketFlag = 1 // of a leaf's element
)

var native = binary.NativeEndian

// A header is what a page begins with.
type header struct {
	id       uint64
	flags    uint16
	count    uint16
	overflow uint32
}

// parseHeader reads the header from b, which has at least 16 bytes.
func parseHeader(b []byte) header {
	return header{native.Uint64(b), native.Uint16(b[8:]), native.Uint16(b[10:]), native.Uint32(b[12:])}
}

// metaHeader returns the header of meta page id, 0 or 1.
func metaHeader(id uint64) header { return header{id: id, flags: metaPage} }

// A page is a page that has been read, with the pages that it overflows into.
type page struct {
	header
	data []byte // from the header on
}

// An elem is an element of a branch page (key and child) or of a leaf page.
type elem struct {
	key   []byte
	child uint64 // page
	flags uint32
	val   []byte
}

// elem returns the element i, or an error if it does not lie in the page, behind
// the table of elements.
func (p page) elem(i int) (elem, error) {
	at, table := headerSize+i*elemSize, headerSize+int(p.count)*elemSize
	if table > len(p.data) {
		return elem{}, fmt.Errorf("%d elements do not fit", p.count)
	}
	b := p.data[at:]
	var e elem
	var pos, keySize, valSize uint32
	if p.flags == branchPage {
		pos, keySize, e.child = native.Uint32(b), native.Uint32(b[4:]), native.Uint64(b[8:])
	} else {
		e.flags, pos, keySize, valSize = native.Uint32(b), native.Uint32(b[4:]), native.Uint32(b[8:]), native.Uint32(b[12:])
	}
	key := int64(at) + int64(pos)
	val := key + int64(keySize)
	end := val + int64(valSize)
	if key < int64(table) || end > int64(len(p.data)) || keySize == 0 {
		return elem{}, fmt.Errorf("element %d is out of bounds", i)
	}
	e.key, e.val = p.data[key:val], p.data[val:end]
	return e, nil
}

// ids returns the page numbers of a freelist page.
func (p page) ids() ([]uint64, error) {
	n, b := uint64(p.count), p.data[headerSize:]
	if n == math.MaxUint16 { // the number itself stands first
		if len(b) < 8 {
			return nil, errors.New("it is cut short")
		}
		n, b = native.Uint64(b), b[8:]
	}
	if n > uint64(len(b)/8) {
		return nil, fmt.Errorf("%d free pages do not fit", n)
	}
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = native.Uint64(b[8*i:])
	}
	return ids, nil
}
