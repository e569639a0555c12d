package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// An upload is the body of a request on its way to the upstream. ReverseProxy
// hides from the transport how to close it: over HTTP/2, the transport of an
// answer that is over would wait for ever for a client that waits for the end of
// the answer before it sends more.
type upload struct {
	io.ReadCloser
	over atomic.Bool           // its end, or an error, was read
	lie  atomic.Pointer[error] // why it did not end as the client announced, nil if it did
	stop func()                // makes a Read that waits return
}

// watch gives r, which w answers, a body that can be abandoned, and returns it;
// nil if there is none, or no need to: a client of HTTP/1.1 sends on, and whoever
// cuts it off may cut the answer off too.
func watch(w http.ResponseWriter, r *http.Request) *upload {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor < 2 {
		return nil
	}
	up := &upload{ReadCloser: r.Body, stop: func() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // unsupported only by a w of tests
	}}
	r.Body = up
	return up
}

// Read implements [io.Reader].
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil {
		u.over.Store(true)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		u.lie.Store(&err)
	}
	return n, err
}

// broken returns why the body did not end as its client announced, nil if it did
// or has not ended yet. u may be nil.
func (u *upload) broken() error {
	if u == nil || u.lie.Load() == nil {
		return nil
	}
	return fmt.Errorf("the body: %w", *u.lie.Load())
}

// abandon reads no more of the body, as nobody wants it. Of a body that is over
// it says nothing: the connection may have gone on to its next request.
func (u *upload) abandon() {
	if !u.over.Load() {
		u.stop()
	}
}

// lastWord is the body of an answer whose end is that of the upload too.
type lastWord struct {
	io.ReadCloser
	upload *upload
}

// Close implements [io.Closer].
func (l lastWord) Close() error {
	l.upload.abandon()
	return l.ReadCloser.Close()
}
