package replace

import "io"

const (
	chunk   = 32 << 10 // bytes that one read of the source may bring
	patient = 100      // reads in a row that bring nothing, as bufio allows
)

// A Reader is a stream with its texts replaced. It gives out each byte as soon
// as it is known whether it belongs to a text: it holds back only what may be
// the beginning of one, at most one byte less than the longest text. It needs
// 32 KiB and the length of the longest text of memory. Only Close may be called
// at the same time as other methods.
type Reader struct {
	r   *Replacer
	src io.ReadCloser

	buf  []byte // what of the stream is still needed
	done int    // buf[:done] is out already, or replaced
	lit  int    // buf[done:lit] goes out next, as it is,
	put  string // then this,
	end  int    // in the place of what ends here
	from int    // where the search goes on
	held int    // matches that start here or later may be longer than they seem

	tail match // where the stream ends in the middle of a text
	err  error // what the source ended with, nil before
	idle int   // reads in a row that brought nothing
}

// Reader returns a reader of src, which it owns. An error of src, io.EOF among
// them, comes after everything before it.
func (r *Replacer) Reader(src io.ReadCloser) *Reader { return &Reader{r: r, src: src} }

// Read implements [io.Reader].
func (s *Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case s.done < s.lit:
			k := copy(p[n:], s.buf[s.done:s.lit])
			s.done += k
			n += k
		case s.put != "":
			k := copy(p[n:], s.put)
			s.put = s.put[k:]
			n += k
		case s.advance():
		case n > 0:
			return n, nil
		case s.err != nil:
			return 0, s.err
		default:
			s.fill()
		}
	}
	return n, nil
}

// Close closes the source. What was held back is not given out any more, unless
// there is a Read.
func (s *Reader) Close() error { return s.src.Close() }

// advance reports whether there is more to give out of what was read, and sets
// what that is.
func (s *Reader) advance() bool {
	s.done = max(s.done, s.end)
	for {
		m, ok := s.r.next(s.buf, s.from)
		if !ok || m.start >= s.held {
			break
		}
		s.from = s.r.resume(m)
		if m.end > s.done {
			s.lit, s.put, s.end = m.start, m.put, m.end
			return true
		}
	}
	s.from = max(s.from, s.held)
	if s.done < s.held {
		s.lit = s.held
		return true
	}
	if s.tail.end > s.done {
		s.put, s.end = s.tail.put, s.tail.end
		return true
	}
	return false
}

// fill reads once from the source, and decides how much of the buffer is known.
func (s *Reader) fill() {
	if s.buf == nil {
		s.buf = make([]byte, 0, chunk+s.r.longest)
	}
	// What is left is the beginning of a text, or of none.
	n := copy(s.buf, s.buf[s.held:])
	s.done -= s.held
	s.from -= s.held
	s.lit, s.end = s.done, s.done
	s.buf = s.buf[:n]

	read, err := s.src.Read(s.buf[n:cap(s.buf)])
	s.buf = s.buf[:n+read]
	if s.idle++; read > 0 {
		s.idle = 0
	}
	if err == nil && s.idle >= patient {
		err = io.ErrNoProgress
	}
	s.err = err
	s.held = s.undecided()
}

// undecided returns from where on matches in the buffer are not to be trusted.
func (s *Reader) undecided() int {
	switch {
	case s.err == nil && s.r.window > 0:
		return s.r.begun(s.buf, 0)
	case s.err == nil:
		return s.r.begun(s.buf, s.from)
	case s.r.window > 0:
		if tail, ok := s.r.cut(s.buf, s.r.window); ok {
			s.tail = tail
			return tail.start
		}
	}
	return len(s.buf)
}
