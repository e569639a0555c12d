package inject

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// codings are those of the tests: the value of Content-Encoding, and what makes
// a writer of it that gives out what it has when it is flushed.
var codings = []struct {
	name, header string
	make         func() encoder
}{
	{"identity", "", func() encoder { return new(plain) }},
	{"gzip", "gzip", func() encoder { z, _ := gzip.NewWriterLevel(nil, flate.HuffmanOnly); return z }},
	{"deflate", "deflate", func() encoder { z, _ := zlib.NewWriterLevel(nil, flate.HuffmanOnly); return z }},
	{"raw deflate", "deflate", func() encoder { z, _ := flate.NewWriter(nil, flate.HuffmanOnly); return z }},
	{"br", "br", func() encoder { return brotli.NewWriterLevel(nil, 0) }},
	{"zstd", "zstd", func() encoder {
		z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(16<<10))
		return z
	}},
	{"br in gzip", "br, gzip", func() encoder {
		outer, _ := gzip.NewWriterLevel(nil, flate.HuffmanOnly)
		return stack{brotli.NewWriterLevel(outer, 0), outer}
	}},
}

type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

type plain struct{ io.Writer }

func (*plain) Flush() error        { return nil }
func (*plain) Close() error        { return nil }
func (p *plain) Reset(w io.Writer) { p.Writer = w }

type stack struct{ inner, outer encoder }

func (s stack) Write(p []byte) (int, error) { return s.inner.Write(p) }
func (s stack) Flush() error                { return errors.Join(s.inner.Flush(), s.outer.Flush()) }
func (s stack) Close() error                { return errors.Join(s.inner.Close(), s.outer.Close()) }
func (s stack) Reset(w io.Writer) {
	s.outer.Reset(w)
	s.inner.Reset(s.outer)
}

// parts is a stream that comes in these parts, one for each read.
type parts struct{ left [][]byte }

func (p *parts) Read(b []byte) (int, error) {
	for len(p.left) > 0 && len(p.left[0]) == 0 {
		p.left = p.left[1:]
	}
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	p.left[0] = p.left[0][n:]
	return n, nil
}

// encodeAt returns body encoded, as the parts that are there when it is flushed
// after its first at bytes, and the rest.
func encodeAt(tb testing.TB, w encoder, body []byte, at int) *parts {
	tb.Helper()
	var b bytes.Buffer
	w.Reset(&b)
	_, err1 := w.Write(body[:at])
	err2 := w.Flush()
	first := b.Len()
	_, err3 := w.Write(body[at:])
	if err := errors.Join(err1, err2, err3, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return &parts{[][]byte{b.Bytes()[:first:first], b.Bytes()[first:]}}
}

// answer returns an answer of status 200 to a GET.
func answer(body io.Reader, header ...string) *http.Response {
	res := &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: -1,
		Request: httptest.NewRequest("GET", "https://host/", nil),
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			res.Header.Add(header[i], header[i+1])
		}
	}
	return res
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(0x21 + r.IntN(0x5e)) // a visible character
	}
	return b
}

// seen returns a part of secret of window bytes that stands in text, "" if none
// does.
func seen(text, secret []byte) string {
	for i := 0; i+window <= len(secret); i++ {
		if bytes.Contains(text, secret[i:i+window]) {
			return string(secret[i : i+window])
		}
	}
	return ""
}

// TestScrubProperty has, for each coding and each place of a body of 4 KiB, a
// secret around that place, where the body is cut into two reads; each length
// of secret from 16 to 512 bytes comes up. (With the race detector, only some
// do.) No 8 bytes of the secret are left,
// the rest is as it was, and a body without the secret is as it was.
func TestScrubProperty(t *testing.T) {
	const size, minimum, maximum = 4 << 10, 16, 512
	for _, c := range codings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			clean, w := random(r, size), c.make()
			for at := 0; at <= size; at += step {
				secret := random(r, minimum+at%(maximum-minimum+1))
				start := min(max(at-r.IntN(len(secret)+1), 0), size-len(secret))
				body := bytes.Clone(clean)
				copy(body[start:], secret)
				rules := &Rules{Kinds: []string{Scrub}, Substitute: []Substitution{{Placeholder: "moat-stub", Secret: string(secret)}}}
				want := string(body[:start]) + "moat-stub" + string(body[start+len(secret):])
				got := scrubbedBody(t, rules, answer(encodeAt(t, w, body, at), "Content-Encoding", c.header))
				if string(got) != want {
					t.Fatalf("cut at %d, a secret of %d bytes at %d: the rest of the body has changed, or %q is left", at, len(secret), start, seen(got, secret))
				}
				around := got[max(start-window, 0):min(start+2*window, len(got))] // the rest is noise, as it was
				if part := seen(around, secret); part != "" {
					t.Fatalf("cut at %d, a secret of %d bytes at %d: %q of it is left", at, len(secret), start, part)
				}
				got = scrubbedBody(t, rules, answer(encodeAt(t, w, clean, at), "Content-Encoding", c.header))
				if !bytes.Equal(got, clean) {
					t.Fatalf("cut at %d: a body without the secret has changed", at)
				}
			}
		})
	}
}

func scrubbedBody(tb testing.TB, rules *Rules, res *http.Response) []byte {
	tb.Helper()
	if err := rules.Response(res); err != nil {
		tb.Fatalf("Response: %v", err)
	}
	got, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		tb.Fatalf("read the body: %v", err)
	}
	return got
}

// TestABodyThatIsCutShowsNoSecret ends a body at each place of a secret.
func TestABodyThatIsCutShowsNoSecret(t *testing.T) {
	secret := random(rand.New(rand.NewPCG(3, 4)), 64)
	rules := &Rules{Kinds: []string{Scrub}, Substitute: []Substitution{{Placeholder: "moat-stub", Secret: string(secret)}}}
	for _, c := range codings {
		w := c.make()
		for at := range len(secret) + 1 {
			for _, broken := range []bool{false, true} {
				text := append([]byte("so far "), secret[:at]...)
				var body io.Reader = encodeAt(t, w, text, len(text))
				if broken { // right after what was flushed
					encoded, _ := body.(*parts)
					body = io.MultiReader(bytes.NewReader(encoded.left[0]), cut{})
				}
				res := answer(body, "Content-Encoding", c.header)
				if err := rules.Response(res); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				if broken != errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: cut at %d, broken %t: %v", c.name, at, broken, err)
				}
				if part := seen(got, secret); part != "" || !bytes.HasPrefix(got, []byte("so far ")) {
					t.Errorf("%s: cut at %d, broken %t: %q, which has %q of the secret", c.name, at, broken, got, part)
				}
			}
		}
	}
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
