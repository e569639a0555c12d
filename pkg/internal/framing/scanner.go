// Package framing knows whether the bytes of an HTTP/1 connection say in one way
// only where each request ends. net/http reads what is ambiguous in a way of its
// own and says nothing of it; an upstream or another proxy may read it otherwise,
// which is how one request is smuggled inside another.
package framing

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// What is wrong with a request. RFC 9112, sections 2.2, 5.2, 6.1 and 7.1, lets a
// server refuse each of them.
var (
	errBoth  = errors.New("the request has both a Content-Length and a Transfer-Encoding")
	errOld   = errors.New("the request is of HTTP/1.0, which has no Transfer-Encoding")
	errLF    = errors.New("a line of the head ends in LF without CR")
	errFold  = errors.New("a header is folded over two lines")
	errChunk = errors.New("a chunk does not begin with its size in hex, or does not end where that says")
)

// The part of the connection that the next byte belongs to.
type place int

const (
	start   place = iota // the request line
	header               // another line of the head
	body                 // content, of which the length is known
	size                 // the line with the size of a chunk
	after                // the end of line after a chunk
	trailer              // what follows the last chunk
)

// kept is how many bytes are kept of both ends of a line: enough for what is
// looked for there.
const kept = 64

// maxDigits is the longest size of a chunk, as in net/http.
const maxDigits = 16

// A scanner follows the requests of a connection. What net/http refuses by itself
// it does not look for. The zero scanner is ready.
type scanner struct {
	place       place
	first, last []byte // of the line so far: at most its first and last kept bytes
	left        int64  // bytes of the body or of the chunk
	length      int64  // announced in the head
	heads       int64  // how many have begun
	hasLength   bool
	hasCoding   bool
	old         bool // HTTP/1.0
}

// scan reads the next bytes of the connection.
func (s *scanner) scan(p []byte) error {
	for len(p) > 0 {
		if s.place == body {
			n := min(int64(len(p)), s.left)
			p, s.left = p[n:], s.left-n
			if s.left == 0 {
				s.place = s.afterBody()
			}
			continue
		}
		if s.place == start && len(s.last) == 0 {
			s.heads++
		}
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.keep(p)
			return nil
		}
		s.keep(p[:i+1])
		p = p[i+1:]
		if err := s.line(); err != nil {
			return err
		}
		s.first, s.last = s.first[:0], s.last[:0]
	}
	return nil
}

func (s *scanner) afterBody() place {
	if s.hasCoding {
		return after
	}
	return start
}

// keep adds part of a line.
func (s *scanner) keep(p []byte) {
	s.first = append(s.first, p[:min(len(p), kept-len(s.first))]...)
	p = p[max(0, len(p)-kept):]
	if over := len(s.last) + len(p) - kept; over > 0 {
		s.last = append(s.last[:0], s.last[over:]...)
	}
	s.last = append(s.last, p...)
}

// line judges a line that is complete.
func (s *scanner) line() error {
	if !bytes.HasSuffix(s.last, []byte("\r\n")) {
		return errLF
	}
	empty := len(s.last) == len("\r\n")
	switch s.place {
	case start:
		*s = scanner{place: header, first: s.first, last: s.last, heads: s.heads}
		s.old = bytes.HasSuffix(s.last, []byte(" HTTP/1.0\r\n"))
	case header:
		if empty {
			return s.endOfHead()
		}
		return s.field()
	case size:
		return s.chunk()
	case after:
		if !empty {
			return errChunk
		}
		s.place = size
	case trailer:
		if empty {
			s.place = start
		}
	}
	return nil
}

// field reads a header.
func (s *scanner) field() error {
	if s.first[0] == ' ' || s.first[0] == '\t' {
		return errFold
	}
	name, value, _ := strings.Cut(string(s.first), ":")
	switch {
	case strings.EqualFold(name, "Transfer-Encoding"):
		s.hasCoding = true
	case strings.EqualFold(name, "Content-Length"):
		s.hasLength = true
		s.length, _ = strconv.ParseInt(strings.TrimSpace(value), 10, 64) // net/http refuses what is no number
	}
	return nil
}

func (s *scanner) endOfHead() error {
	switch {
	case s.hasCoding && s.hasLength:
		return errBoth
	case s.hasCoding && s.old:
		return errOld
	case s.hasCoding:
		s.place = size
	case s.length > 0:
		s.place, s.left = body, s.length
	default:
		s.place = start
	}
	return nil
}

// chunk reads the line before a chunk; extensions are left alone, since net/http
// does not pass them on.
func (s *scanner) chunk() error {
	digits, _, _ := strings.Cut(strings.TrimSuffix(string(s.first), "\r\n"), ";")
	digits = strings.TrimRight(digits, " \t")
	n, err := strconv.ParseUint(digits, 16, 63)
	if err != nil || len(digits) > maxDigits {
		return errChunk
	}
	if s.place, s.left = body, int64(n); n == 0 {
		s.place = trailer
	}
	return nil
}
