package inject

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/moatd/moatd/pkg/internal/coding"
	"github.com/moatd/moatd/pkg/internal/replace"
)

// scrubbable makes a request one whose answer can be scrubbed: whole, in a
// coding that can be opened, and without compression inside messages.
func (r *Rules) scrubbable(h http.Header) {
	if !r.Scrubs() {
		return
	}
	for _, name := range []string{"Range", "If-Range", "Grpc-Accept-Encoding", "Sec-Websocket-Extensions"} {
		h.Del(name)
	}
	if accepted := h.Values("Accept-Encoding"); len(accepted) > 0 {
		h.Set("Accept-Encoding", coding.Accept(accepted))
	}
}

// ScrubHeader takes the secrets out of the header of an answer.
func (r *Rules) ScrubHeader(h http.Header) { scrubHeader(replace.NewScrubber(r.hidden(), window), h) }

func scrubHeader(s *replace.Replacer, h http.Header) {
	for _, values := range h {
		for i, v := range values {
			values[i] = s.String(v)
		}
	}
}

// scrub takes the secrets out of an answer: out of its header now, out of its
// body and its trailer as they stream. The body goes on without its content
// coding.
func (r *Rules) scrub(res *http.Response) error {
	pairs := r.hidden()
	if len(pairs) == 0 {
		return nil
	}
	s := replace.NewScrubber(pairs, window)
	scrubHeader(s, res.Header)
	if res.StatusCode == http.StatusSwitchingProtocols {
		return scrubUpgraded(res, pairs)
	}
	if err := openable(res); err != nil {
		return err
	}
	if framed(res.Header) {
		s = replace.NewScrubber(sameLength(pairs), window)
	}
	plain, err := opened(res)
	if err != nil {
		return err
	}
	forgetBytes(res)
	res.Body = &scrubbed{Reader: s.Reader(plain), s: s, res: res}
	return nil
}

// openable says why the body of res cannot be scrubbed, whatever its coding.
func openable(res *http.Response) error {
	if res.StatusCode == http.StatusPartialContent {
		return errors.New("the answer is a part (206) that nobody asked for; a secret may begin in one part and end in another")
	}
	if inner := res.Header.Get("Grpc-Encoding"); inner != "" && inner != "identity" {
		return fmt.Errorf("the messages of the answer are compressed (grpc-encoding %.40q), and cannot be searched for secrets", inner)
	}
	return nil
}

// framed reports whether the body has lengths in it.
func framed(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/grpc")
}

// opened returns the body of res without its content codings.
func opened(res *http.Response) (io.ReadCloser, error) {
	if empty(res) {
		return res.Body, nil
	}
	body, err := coding.Open(res.Header.Values("Content-Encoding"), res.Body)
	if err != nil {
		return nil, fmt.Errorf("the answer cannot be searched for secrets: %w", err)
	}
	return body, nil
}

// empty reports whether res has no body, whatever its header says of one.
func empty(res *http.Response) bool {
	return res.Request.Method == http.MethodHead || res.ContentLength == 0 ||
		res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified
}

// forgetBytes takes out of the header what is true of the old bytes alone. The
// ETag stays: it names the version for If-Match, and parts of one are not to be
// had.
func forgetBytes(res *http.Response) {
	for _, name := range []string{
		"Content-Encoding", "Content-Length", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges",
	} {
		res.Header.Del(name)
	}
	if res.ContentLength != 0 {
		res.ContentLength = -1
	}
}

// scrubbed is a body whose end brings trailers, which are scrubbed too.
type scrubbed struct {
	*replace.Reader
	s   *replace.Replacer
	res *http.Response
}

// Read implements [io.Reader].
func (b *scrubbed) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		scrubHeader(b.s, b.res.Trailer)
	}
	return n, err
}
