package store

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// A meta is where a transaction begins.
type meta struct {
	header   header // bbolt cares for it only in its check
	pageSize int64
	root     uint64 // page of the root bucket
	freelist uint64 // page, or noFreelist
	pages    uint64 // one more than the highest page in use
	tx       uint64
}

// parseMeta reads a meta page, as far as b goes. It accepts what bbolt accepts,
// and asks for a possible page size too; bad says what is wrong, "" for nothing.
func parseMeta(b []byte) (m meta, bad string) {
	if len(b) < metaSize {
		return m, "it is cut short"
	}
	m.header = parseHeader(b)
	b = b[headerSize:metaSize]
	m.pageSize = int64(native.Uint32(b[8:]))
	m.root = native.Uint64(b[16:])
	m.freelist = native.Uint64(b[32:])
	m.pages = native.Uint64(b[40:])
	m.tx = native.Uint64(b[48:])
	switch {
	case native.Uint32(b) != magic:
		return m, "it is none"
	case native.Uint32(b[4:]) != version:
		return m, fmt.Sprintf("it has version %d", native.Uint32(b[4:]))
	case native.Uint64(b[56:]) != metaSum(b[:56]):
		return m, "its checksum is wrong"
	case m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0:
		return m, fmt.Sprintf("its page size is %d", m.pageSize)
	}
	return m, ""
}

// metaSum returns the checksum of a meta page without its header and checksum.
func metaSum(b []byte) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write(b) // a hash returns no error
	return sum.Sum64()
}

// findMeta returns the meta page that bbolt will use: the valid one with the
// highest transaction. The note says which one is bad, if one is. The error is a
// *damage if both are, or comes from r.
func findMeta(r io.ReaderAt) (m meta, note string, err error) {
	m0, bad0, err := metaAt(r, 0)
	if err != nil {
		return m, "", err
	}
	pos := m0.pageSize
	if bad0 != "" {
		if pos, err = secondMeta(r); err != nil {
			return m, "", err
		}
	}
	m1, bad1, err := metaAt(r, pos)
	switch {
	case err != nil:
		return m, "", err
	case bad0 != "" && bad1 != "":
		return m, "", damaged(fmt.Sprintf("no database: meta page 0: %s; meta page 1: %s", bad0, bad1))
	case bad1 == "" && m1.pageSize != pos:
		return m, "", damaged(fmt.Sprintf("meta page 1, at %d, has page size %d", pos, m1.pageSize))
	case bad0 != "" || m0.header != metaHeader(0):
		note = badMeta(0)
	case bad1 != "" || m1.header != metaHeader(1):
		note = badMeta(1)
	}
	if bad0 != "" || (bad1 == "" && m1.tx > m0.tx) {
		return m1, note, nil
	}
	return m0, note, nil
}

// badMeta returns the note on a meta page that is bad. If it was the one of the
// last transaction, bbolt goes on from the one before, whose pages are all there.
func badMeta(id int) string {
	return fmt.Sprintf("meta page %d was bad, and is written anew from the other; the last change may be lost", id)
}

// metaAt reads the meta page at pos; bad is as in [parseMeta]. The error comes
// from r.
func metaAt(r io.ReaderAt, pos int64) (m meta, bad string, err error) {
	b := make([]byte, metaSize)
	n, err := r.ReadAt(b, pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return m, "", err
	}
	m, bad = parseMeta(b[:n])
	return m, bad, nil
}

// secondMeta returns where meta page 1 is when page 0, which would say so, is
// bad: bbolt tries each page size. If there is none, it returns a likely place.
func secondMeta(r io.ReaderAt) (int64, error) {
	for pos := int64(minPageSize); pos <= maxPageSize; pos *= 2 {
		if _, bad, err := metaAt(r, pos); bad == "" || err != nil {
			return pos, err
		}
	}
	return int64(os.Getpagesize()), nil
}
