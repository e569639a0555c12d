package inject

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/moatd/moatd/pkg/internal/replace"
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

func TestHidden(t *testing.T) {
	const secret = "s3cr3t/to+ken \"01"
	substitute := &Rules{Substitute: []Substitution{{Placeholder: "moat-stub", Secret: secret}}}
	credential := func(value string) *Rules { return &Rules{Credentials: []Header{{Name: "X", Value: value}}} }
	basic := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, tt := range []struct {
		name  string
		rules *Rules
		text  string
		want  string
	}{
		{"a substitution becomes its placeholder", substitute, "a " + secret + " b", "a moat-stub b"},
		{"as JSON", substitute, `{"k":"s3cr3t/to+ken \"01"}`, `{"k":"moat-stub"}`},
		{"in a query", substitute, "?k=" + url.QueryEscape(secret), "?k=moat-stub"},
		{"in a path", substitute, "/" + url.PathEscape(secret) + "/", "/moat-stub/"},
		{"in hex", substitute, hex.EncodeToString([]byte(secret)), hex.EncodeToString([]byte("moat-stub"))},
		{"in upper hex", substitute, strings.ToUpper(hex.EncodeToString([]byte(secret))), strings.ToUpper(hex.EncodeToString([]byte("moat-stub")))},
		{"a raw credential", credential("abcd1234"), "key abcd1234", "key moat-redacted"},
		{"after Bearer", credential("Bearer abcd1234"), "Authorization: Bearer abcd1234; abcd1234", "Authorization: Bearer moat-redacted; moat-redacted"},
		{"after token", credential("token abcd1234"), "abcd1234", "moat-redacted"},
		{"the password of Basic", credential("Basic " + basic("x:abcd1234")), "x abcd1234", "x moat-redacted"},
		{"Basic itself", credential("Basic " + basic("x:abcd1234")), "Basic " + basic("x:abcd1234") + ".", "Basic " + basic("x:moat-redacted") + "."},
		{"the user of Basic, where the password is empty", credential("Basic " + basic("abcd1234:")), "abcd1234", "moat-redacted"},
		{"the user of Basic, where the password says OAuth", credential("Basic " + basic("abcd1234:x-oauth-basic")), "abcd1234 x-oauth-basic", "moat-redacted x-oauth-basic"},
		{"Basic that is none", credential("Basic abcd1234!"), "abcd1234!", "moat-redacted"},
		{"a secret that is too short is not looked for", credential("abc"), "abc", "abc"},
		{"a placeholder that is the secret", &Rules{Substitute: []Substitution{{"same", "same", ""}}}, "same", "same"},
		{
			"a secret with a placeholder that is injected too becomes its placeholder",
			&Rules{Substitute: []Substitution{{"moat-stub", "abcd1234", ""}}, Credentials: credential("Bearer abcd1234").Credentials},
			"abcd1234", "moat-stub",
		},
		{"no rules have no secrets", &Rules{}, "abcd1234", "abcd1234"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := replace.NewScrubber(tt.rules.hidden(), window).String(tt.text)
			if got != tt.want {
				t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

// TestSecretInBase64 has the secret begin and end at each place of a group.
func TestSecretInBase64(t *testing.T) {
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for n := 16; n < 20; n++ {
			secret := string(random(rand.New(rand.NewPCG(uint64(n), 1)), n)) + "\xff\xfe" // gives + and /, or - and _
			rules := &Rules{Substitute: []Substitution{{Placeholder: "moat-stub", Secret: secret}}}
			s := replace.NewScrubber(rules.hidden(), window)
			for before := range 6 {
				for after := range 4 {
					text := strings.Repeat("x", before) + secret + strings.Repeat("y", after)
					got, err := enc.DecodeString(s.String(enc.EncodeToString([]byte(text))))
					if err != nil || len(got) != len(text) {
						t.Fatalf("%d bytes around: not base64 any more: %v", before+after, err)
					}
					if part := seen(got, []byte(secret)); part != "" {
						t.Errorf("%d before, %d after: %q is left", before, after, part)
					}
				}
			}
		}
	}
}

var scrubs = &Rules{Kinds: []string{Scrub}, Credentials: []Header{{Name: "Authorization", Value: "Bearer abcd-1234-efgh"}}}

func TestScrubHeaders(t *testing.T) {
	res := answer(strings.NewReader("body"),
		"Location", "https://host/?token=abcd-1234-efgh", "Set-Cookie", "a=abcd-1234-efgh", "Set-Cookie", "b=2",
		"Content-Length", "4", "Content-Md5", "x", "Digest", "x", "Etag", `"v1"`, "Accept-Ranges", "bytes", "X-Other", "1")
	res.ContentLength = 4
	scrubbedBody(t, scrubs, res)
	want := http.Header{
		"Location": {"https://host/?token=moat-redacted"}, "Set-Cookie": {"a=moat-redacted", "b=2"}, "Etag": {`"v1"`}, "X-Other": {"1"},
	}
	if diff := cmp.Diff(want, res.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if res.ContentLength != -1 {
		t.Errorf("ContentLength = %d, want -1", res.ContentLength)
	}
}

func TestScrubTrailers(t *testing.T) {
	res := answer(strings.NewReader("body"))
	rules := *scrubs
	if err := rules.Response(res); err != nil {
		t.Fatal(err)
	}
	res.Trailer = http.Header{"X-Echo": {"abcd-1234-efgh"}} // as the transport does it, while the body is read
	if _, err := io.ReadAll(res.Body); err != nil || res.Trailer.Get("X-Echo") != Redacted {
		t.Errorf("trailer = %v, %v, want %s", res.Trailer, err, Redacted)
	}
}

func TestScrubFailsClosed(t *testing.T) {
	part := answer(strings.NewReader("a part"))
	part.StatusCode = http.StatusPartialContent
	upgrade := answer(strings.NewReader(""))
	upgrade.StatusCode = http.StatusSwitchingProtocols
	for _, tt := range []struct {
		name string
		res  *http.Response
		want string
	}{
		{"on a coding that it does not know", answer(strings.NewReader("x"), "Content-Encoding", "dcb"), `"dcb" is not known`},
		{"on one among others", answer(strings.NewReader("x"), "Content-Encoding", "gzip", "Content-Encoding", "aes128gcm"), `"aes128gcm"`},
		{"on a part that nobody asked for", part, "206"},
		{"on compressed messages of gRPC", answer(strings.NewReader("x"), "Grpc-Encoding", "gzip"), `grpc-encoding "gzip"`},
		{"on an upgrade that cannot be read", upgrade, "upgraded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var failed *AnswerError
			err := scrubs.Response(tt.res)
			if !errors.As(err, &failed) || failed.Reason != "scrub" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Response = %v, want %q of kind scrub", err, tt.want)
			}
		})
	}
}

func TestScrubLeavesAnswersWithoutABody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		status int
	}{{"HEAD", "HEAD", 200}, {"204", "GET", 204}, {"304", "GET", 304}} {
		t.Run(tt.name, func(t *testing.T) {
			res := answer(http.NoBody, "Content-Encoding", "dcb", "X-Echo", "abcd-1234-efgh")
			res.Request.Method, res.StatusCode = tt.method, tt.status
			if got := scrubbedBody(t, scrubs, res); len(got) != 0 || res.Header.Get("X-Echo") != Redacted {
				t.Errorf("body %q, header %v, want none, and no secret", got, res.Header)
			}
		})
	}
}

func TestScrubWithoutSecretsDoesNothing(t *testing.T) {
	res := answer(strings.NewReader("as it is"), "Content-Encoding", "dcb", "Content-Length", "8")
	if got := scrubbedBody(t, &Rules{Kinds: []string{Scrub}}, res); string(got) != "as it is" || res.Header.Get("Content-Encoding") != "dcb" {
		t.Errorf("body %q, header %v, want both as they were", got, res.Header)
	}
}

func TestScrubKeepsTheLengthsInFrames(t *testing.T) {
	for _, secret := range []string{"abcd1234", strings.Repeat("abcd1234", 8)} {
		rules := &Rules{Kinds: []string{Scrub}, Credentials: []Header{{Name: "X", Value: secret}}}
		body := "\x00\x00\x00\x00\x50" + secret + strings.Repeat("m", 80-len(secret))
		got := scrubbedBody(t, rules, answer(strings.NewReader(body), "Content-Type", "application/grpc+proto"))
		if len(got) != len(body) || bytes.Contains(got, []byte(secret)) {
			t.Errorf("%q became %q, want the same length without the secret", body, got)
		}
	}
}

// duplex is a connection of which one half is read here.
type duplex struct {
	io.Reader
	written bytes.Buffer
	closed  string
}

func (d *duplex) Write(p []byte) (int, error) { return d.written.Write(p) }
func (d *duplex) Close() error                { d.closed += "both "; return nil }
func (d *duplex) CloseWrite() error           { d.closed += "write "; return nil }

func TestScrubUpgraded(t *testing.T) {
	conn := &duplex{Reader: strings.NewReader("\x81\x10 abcd-1234-efgh!")}
	res := answer(nil)
	res.StatusCode, res.Body = http.StatusSwitchingProtocols, conn
	got := scrubbedBody(t, scrubs, res)
	if want := "\x81\x10 moat-redacted*!"; string(got) != want {
		t.Errorf("read %q, want %q", got, want)
	}
	body, ok := res.Body.(interface {
		io.Writer
		CloseWrite() error
	})
	if !ok {
		t.Fatalf("the body is a %T, which cannot be written to", res.Body)
	}
	_, _ = io.WriteString(body, "abcd-1234-efgh")
	if err := body.CloseWrite(); err != nil || conn.written.String() != "abcd-1234-efgh" || conn.closed != "both write " {
		t.Errorf("wrote %q, closed %q, %v, want what was written and both", conn.written.String(), conn.closed, err)
	}
}

func TestRequestIsMadeOneWhoseAnswerCanBeScrubbed(t *testing.T) {
	sent := http.Header{
		"Range": {"bytes=1-"}, "If-Range": {"x"}, "Grpc-Accept-Encoding": {"gzip"},
		"Sec-Websocket-Extensions": {"permessage-deflate"}, "Accept-Encoding": {"gzip, dcb"}, "Accept": {"*/*"},
	}
	for _, tt := range []struct {
		name  string
		rules *Rules
		want  http.Header
	}{
		{"with the scrubbing", &Rules{Kinds: []string{Scrub}}, http.Header{"Accept-Encoding": {"gzip"}, "Accept": {"*/*"}}},
		{"without", &Rules{}, sent},
		{"without rules", nil, sent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "https://host/", nil)
			req.Header = sent.Clone()
			tt.rules.Request(req)
			if diff := cmp.Diff(tt.want, req.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzScrub checks that a secret is seen in no header and no body, whatever is
// around it.
func FuzzScrub(f *testing.F) {
	f.Add("before ", " after", "sk-live-0123456789", uint8(0))
	f.Add("sk-live-0123", "456789", "sk-live-0123456789", uint8(4))
	f.Add("abab", "abab", "abababab", uint8(1))
	f.Fuzz(func(t *testing.T, before, after, secret string, which uint8) {
		if len(secret) < window || strings.Contains(Redacted+Redacted, secret[:window]) || strings.Contains(secret, Redacted) {
			t.Skip("too short, or what stands for a secret")
		}
		rules := &Rules{Kinds: []string{Scrub}, Substitute: []Substitution{{Placeholder: "\x00", Secret: secret}}}
		c := codings[int(which)%len(codings)]
		text := []byte(before + secret + after)
		got := scrubbedBody(t, rules, answer(encodeAt(t, c.make(), text, len(before)), "Content-Encoding", c.header))
		if bytes.Contains(got, []byte(secret)) {
			t.Errorf("%q became %q, which has the secret", text, got)
		}
	})
}

func ExampleRules_Response() {
	rules := &Rules{
		Kinds:      []string{Scrub},
		Substitute: []Substitution{{Placeholder: "moat-stub-linear", Secret: "lin_api_0123456789"}},
	}
	res := answer(strings.NewReader(`{"you sent": "lin_api_0123456789"}`))
	if err := rules.Response(res); err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(res.Body)
	fmt.Println(string(body))
	// Output: {"you sent": "moat-stub-linear"}
}

// BenchmarkScrub has an answer of 1 MiB without a secret, in each coding, as it
// is read from a connection.
func BenchmarkScrub(b *testing.B) {
	text := bytes.Repeat([]byte("data: {\"type\":\"content_block_delta\"}\n\n"), 1<<20/40)
	for _, c := range codings {
		encoded := encodeAt(b, c.make(), text, len(text)).left
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			buf := make([]byte, 32<<10)
			for b.Loop() {
				res := answer(&parts{append([][]byte(nil), encoded...)}, "Content-Encoding", c.header)
				if err := scrubs.Response(res); err != nil {
					b.Fatal(err)
				}
				if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{res.Body}, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResponse has an answer of 100 bytes, whose cost is that of the rules.
func BenchmarkResponse(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 100)
	for b.Loop() {
		res := answer(bytes.NewReader(body), "Content-Type", "application/json", "Date", "x", "Server", "y")
		if err := scrubs.Response(res); err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
}
