package coding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// A flusher is a writer that can make what it has known to the reader.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// raw is deflate without the frame of zlib, as some servers send it.
const raw = "raw deflate"

// codings are the names of all codings, and raw.
var codings = []string{"gzip", "x-gzip", "deflate", raw, "br", "zstd"}

// encoder returns a writer of the coding.
func encoder(tb testing.TB, name string, w io.Writer) flusher {
	tb.Helper()
	switch name {
	case "gzip", "x-gzip":
		return gzip.NewWriter(w)
	case "deflate":
		return zlib.NewWriter(w)
	case raw:
		f, err := flate.NewWriter(w, flate.BestSpeed)
		if err != nil {
			tb.Fatal(err)
		}
		return f
	case "br":
		return brotli.NewWriter(w)
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

func encode(tb testing.TB, name string, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := encoder(tb, name, &b)
	_, _ = w.Write(text)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// header is what Content-Encoding says for the coding.
func header(name string) string {
	if name == raw {
		return "deflate"
	}
	return name
}

// open opens body, or fails the test.
func open(tb testing.TB, body io.Reader, encodings ...string) io.ReadCloser {
	tb.Helper()
	r, err := Open(encodings, io.NopCloser(body))
	if err != nil {
		tb.Fatalf("Open(%q): %v", encodings, err)
	}
	return r
}

func TestOpen(t *testing.T) {
	text := []byte(strings.Repeat("what was sent; ", 10_000))
	stacked := encode(t, "zstd", encode(t, "br", encode(t, "gzip", text)))
	for _, tt := range []struct {
		name      string
		encodings []string
		body      []byte
	}{
		{"no header", nil, text},
		{"identity is no coding", []string{"identity"}, text},
		{"in capitals", []string{" GZIP "}, encode(t, "gzip", text)},
		{"three around each other", []string{"gzip, br, zstd"}, stacked},
		{"three in three headers", []string{"gzip", "br", "identity, zstd"}, stacked},
		{"gzip in two members", []string{"gzip"}, append(encode(t, "gzip", text[:7]), encode(t, "gzip", text[7:])...)},
		{"something after the end", []string{"deflate"}, append(encode(t, "deflate", text), "\r\n"...)},
	} {
		t.Run(tt.name, func(t *testing.T) { same(t, open(t, bytes.NewReader(tt.body), tt.encodings...), text) })
	}
	for _, name := range codings {
		t.Run(name, func(t *testing.T) { same(t, open(t, bytes.NewReader(encode(t, name, text)), header(name)), text) })
		t.Run(name+" of nothing", func(t *testing.T) { same(t, open(t, bytes.NewReader(encode(t, name, nil)), header(name)), nil) })
		t.Run(name+" of an empty body", func(t *testing.T) { same(t, open(t, bytes.NewReader(nil), header(name)), nil) })
	}
}

func same(t *testing.T, r io.ReadCloser, want []byte) {
	t.Helper()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("ReadAll = %d bytes %.40q, %v, want %d bytes", len(got), got, err, len(want))
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, encodings, want string
	}{
		{"a coding that it does not know", "compress", `"compress" is not known`},
		{"one among others", "gzip, dcz, br", `"dcz" is not known`},
		{"a long name, shortened", strings.Repeat("x", 99), `"` + strings.Repeat("x", 40) + `"`},
		{"too many", "gzip,gzip,gzip,gzip,gzip", "5 of them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open([]string{tt.encodings}, io.NopCloser(strings.NewReader("")))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open(%q) = %v, want %q", tt.encodings, err, tt.want)
			}
		})
	}
}

// TestWhatIsFlushedIsThere writes each event only once the one before is read.
func TestWhatIsFlushedIsThere(t *testing.T) {
	for _, name := range codings {
		t.Run(name, func(t *testing.T) {
			in, out := io.Pipe()
			events := make(chan []byte, 1)
			go func() {
				w := encoder(t, name, out)
				for event := range events {
					_, _ = w.Write(event)
					_ = w.Flush()
				}
				_ = w.Close()
				_ = out.Close()
			}()
			r := open(t, in, header(name))
			for i := range 5 {
				event := fmt.Appendf(nil, "data: {\"delta\":\"event %d %s\"}\n\n", i, strings.Repeat("z", i*700))
				events <- event
				got := make([]byte, len(event))
				if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, event) {
					t.Fatalf("event %d = %q, %v, want %q", i, got, err, event)
				}
			}
			close(events)
			same(t, r, nil)
		})
	}
}

func TestBodyThatIsNotInItsCodingIsAnError(t *testing.T) {
	text := []byte(strings.Repeat("what was sent; ", 100))
	for _, name := range codings {
		good := encode(t, name, text)
		for at := 1; at < len(good); at++ {
			got, err := io.ReadAll(open(t, bytes.NewReader(good[:at]), header(name)))
			if err == nil || !bytes.HasPrefix(text, got) {
				t.Errorf("%s cut at %d of %d: ReadAll = %q, %v, want a beginning and an error", name, at, len(good), got, err)
			}
		}
		if _, err := io.ReadAll(open(t, strings.NewReader("{\"plain\":true}"), header(name))); err == nil {
			t.Errorf("%s of plain text: no error", name)
		}
	}
}

func TestAnErrorOfTheBodyComesThrough(t *testing.T) {
	broken := errors.New("connection reset")
	for _, name := range codings {
		good := encode(t, name, []byte(strings.Repeat("what was sent; ", 100)))
		for _, at := range []int{0, len(good) / 2, len(good)} {
			_, err := io.ReadAll(open(t, io.MultiReader(bytes.NewReader(good[:at]), failing{broken}), header(name)))
			if !errors.Is(err, broken) {
				t.Errorf("%s broken at %d of %d: %v, want %v", name, at, len(good), err, broken)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestABombCostsTime opens a body that is a thousand times as large as it was,
// in little memory.
func TestABombCostsTime(t *testing.T) {
	const size = 24 << 20
	for _, name := range codings {
		var b bytes.Buffer
		w := encoder(t, name, &b)
		for range size / (1 << 20) {
			_, _ = w.Write(make([]byte, 1<<20))
		}
		_ = w.Close()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := io.Copy(io.Discard, open(t, &b, header(name)))
		runtime.ReadMemStats(&after)
		if n != size || err != nil {
			t.Errorf("%s: %d bytes, %v, want %d", name, n, err, size)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > size/2 {
			t.Errorf("%s: %d MiB allocated for %d, want few", name, got>>20, size>>20)
		}
	}
}

func TestAWindowThatIsTooLargeIsAnError(t *testing.T) {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(2*zstdWindow), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(make([]byte, 1<<10))
	_ = w.Flush() // so that the frame does not know its length, which could be the window
	_ = w.Close()
	if _, err := io.ReadAll(open(t, &b, "zstd")); !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("ReadAll = %v, want %v", err, zstd.ErrWindowSizeExceeded)
	}
}

func TestAccept(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		want   string
	}{
		{"all that are known stay, with their weights", []string{"gzip;q=1.0, br;q=0.5", "ZSTD"}, "gzip;q=1.0, br;q=0.5, ZSTD"},
		{"what is not known goes", []string{"gzip, dcb, dcz, compress"}, "gzip"},
		{"a star would let anything come", []string{"gzip, *"}, "gzip"},
		{"a refusal of identity stays", []string{"gzip, identity;q=0"}, "gzip, identity;q=0"},
		{"nothing known is identity", []string{"dcb"}, "identity"},
		{"an empty list is identity", []string{""}, "identity"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Accept(tt.values)); diff != "" {
				t.Errorf("Accept(%q) (-want +got):\n%s", tt.values, diff)
			}
		})
	}
}

type closing struct {
	io.Reader
	times int
}

func (c *closing) Close() error {
	c.times++
	return nil
}

func TestCloseClosesTheBody(t *testing.T) {
	for _, name := range codings {
		for _, read := range []bool{false, true} {
			body := &closing{Reader: bytes.NewReader(encode(t, name, []byte("text")))}
			r, err := Open([]string{header(name), "identity"}, body)
			if err != nil {
				t.Fatal(err)
			}
			if read {
				_, _ = r.Read(make([]byte, 1))
			}
			if err := r.Close(); err != nil || body.times != 1 {
				t.Errorf("%s, read %t: Close = %v, closed %d times, want once", name, read, err, body.times)
			}
		}
	}
}

// FuzzOpen checks that a body comes back as it was, however it was encoded, and
// that one that was not encoded is an error or some text, and no panic.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("text"), uint8(0))
	f.Add([]byte("\x78\x9c\x03\x00"), uint8(2))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00"), uint8(5))
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		name := codings[int(which)%len(codings)]
		same(t, open(t, bytes.NewReader(encode(t, name, text)), header(name)), text)
		_, _ = io.Copy(io.Discard, io.LimitReader(open(t, bytes.NewReader(text), header(name)), 1<<20))
	})
}

func ExampleOpen() {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, "hello")
	_ = w.Close()
	body, err := Open([]string{"gzip"}, io.NopCloser(&b))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(body)
	fmt.Println(string(text))
	// Output: hello
}

func BenchmarkOpen(b *testing.B) {
	text := []byte(strings.Repeat("data: {\"type\":\"content_block_delta\"}\n\n", 1<<20/40))
	for _, name := range codings {
		body := encode(b, name, text)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r := open(b, bytes.NewReader(body), header(name))
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				_ = r.Close()
			}
		})
	}
}
