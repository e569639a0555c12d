// Package coding knows how to open the content codings of HTTP (RFC 9110,
// section 8.4) as a body streams: gzip, deflate, br and zstd, and stacks of them.
package coding

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxStack is how many codings a body may have one around the other. Each costs
// the memory of a window.
const maxStack = 4

// openers are the codings that can be opened, by name.
var openers = map[string]func(*bufio.Reader) (io.ReadCloser, error){
	"gzip":    openGzip,
	"x-gzip":  openGzip, // RFC 9110, section 8.4.1.3
	"deflate": openDeflate,
	"br":      openBrotli,
	"zstd":    openZstd,
}

// Open returns what body is without its codings, which are the values of the
// headers Content-Encoding, the coding that was applied last at the end. It
// reads nothing of body yet; the reader that it returns gives out what is
// flushed, as soon as it is there, and owns body. A body that does not have the
// codings, or ends too early, is an error of a Read; an empty one is empty.
//
// The error of Open names a coding that is not known; body is then as it was.
func Open(encodings []string, body io.ReadCloser) (io.ReadCloser, error) {
	names := list(encodings)
	if len(names) > maxStack {
		return nil, fmt.Errorf("content coding: %d of them around each other, more than %d", len(names), maxStack)
	}
	for _, name := range names {
		if openers[name] == nil {
			return nil, fmt.Errorf("content coding %.40q is not known", name)
		}
	}
	for _, name := range slices.Backward(names) {
		body = &reader{open: openers[name], src: body}
	}
	return body, nil
}

// list returns the names in the values of Content-Encoding, in lower case,
// without identity, which is none.
func list(values []string) []string {
	var names []string
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "" && name != "identity" {
			names = append(names, name)
		}
	}
	return names
}

// Accept returns the elements of an Accept-Encoding that Open opens, and
// "identity" if there are none.
func Accept(values []string) string {
	var kept []string
	for element := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, _, _ := strings.Cut(element, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "identity" || openers[name] != nil {
			kept = append(kept, strings.TrimSpace(element))
		}
	}
	if len(kept) == 0 {
		return "identity"
	}
	return strings.Join(kept, ", ")
}

// A reader opens one coding once there is a first byte, so that the head of an
// answer need not wait for its body.
type reader struct {
	open func(*bufio.Reader) (io.ReadCloser, error)
	src  io.ReadCloser
	in   *bufio.Reader
	out  io.ReadCloser // nil before the first byte
	err  error         // what it ended with, nil before
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if r.err == nil && r.out == nil {
		r.err = r.start()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.out.Read(p)
	if errors.Is(err, io.EOF) {
		err = r.drain()
	}
	r.err = err
	return n, err
}

// start opens the coding; io.EOF means that the body is empty.
func (r *reader) start() error {
	r.in = bufio.NewReader(r.src)
	if _, err := r.in.Peek(1); err != nil {
		return err
	}
	out, err := r.open(r.in)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // there was a first byte
	}
	r.out = out
	return err
}

// drain reads what comes after the end of the coding, as browsers do, for the
// end of the body to be seen by who waits for it. It returns io.EOF.
func (r *reader) drain() error {
	if _, err := io.Copy(io.Discard, r.in); err != nil {
		return err
	}
	return io.EOF
}

// Close closes the body.
func (r *reader) Close() error {
	if r.out != nil {
		return errors.Join(r.out.Close(), r.src.Close())
	}
	return r.src.Close()
}
