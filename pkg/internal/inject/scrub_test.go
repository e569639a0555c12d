package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
