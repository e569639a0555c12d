package proxy

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/inject"
)

const token = "sk-live-0123456789abcdef"

// scrubbing are rules that inject the token and scrub it.
func scrubbing() *HostRules {
	r := bearer(token)
	r.Kinds = []string{inject.Scrub}
	return r
}

// flushWriter is a writer of a content coding.
type flushWriter interface {
	io.WriteCloser
	Flush() error
}

func compressor(name string, w io.Writer) flushWriter {
	switch name {
	case "gzip":
		return gzip.NewWriter(w)
	case "br":
		return brotli.NewWriter(w)
	}
	z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	return z
}

// TestScrubbedEventArrivesBeforeTheNextIsSent has an origin that streams events
// in each coding, each with the credential, which it sends in two pieces.
func TestScrubbedEventArrivesBeforeTheNextIsSent(t *testing.T) {
	next := make(chan struct{})
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
		flush := http.NewResponseController(w)
		z := compressor(r.Header.Get("Accept-Encoding"), w)
		_ = flush.Flush() // the head goes out before there is an event
		for i := range 3 {
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
			event := fmt.Sprintf("data: %d %s\n\n", i, r.Header.Get("Authorization"))
			for _, piece := range []string{event[:25], event[25:]} {
				_, _ = io.WriteString(z, piece)
				_ = z.Flush()
				_ = flush.Flush()
			}
		}
		_ = z.Close()
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": scrubbing()}})
			for _, name := range []string{"gzip", "br", "zstd"} {
				req := post(t, nil)
				req.Header.Set("Accept-Encoding", name)
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := res.Header.Get("Content-Encoding"); got != "" {
					t.Errorf("Content-Encoding = %q, want none", got)
				}
				for i := range 3 {
					next <- struct{}{}
					want := fmt.Sprintf("data: %d Bearer moat-redacted\n\n", i)
					got := make([]byte, len(want))
					if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
						t.Fatalf("%s: event %d = %q, %v, want %q", name, i, got, err, want)
					}
				}
				if rest, err := io.ReadAll(res.Body); len(rest) != 0 || err != nil {
					t.Errorf("%s: the rest = %q, %v, want the end", name, rest, err)
				}
				_ = res.Body.Close()
			}
		})
	}
}

func TestScrubbedHeadersHintsAndTrailers(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		echo := r.Header.Get("Authorization")
		w.Header().Set("Link", echo)
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Announced")
		w.Header().Add("Set-Cookie", "t="+echo)
		_, _ = io.WriteString(w, echo)
		w.Header().Set("X-Announced", echo)
		w.Header().Set(http.TrailerPrefix+"X-Late", echo)
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": scrubbing()}})
			res := do(t, c, post(t, nil))
			res.want(t, http.StatusOK, "Bearer moat-redacted")
			for name, got := range map[string]string{
				"Set-Cookie":  res.Header.Get("Set-Cookie"),
				"X-Announced": res.Trailer.Get("X-Announced"),
				"X-Late":      res.Trailer.Get("X-Late"),
			} {
				if !strings.HasSuffix(got, "Bearer moat-redacted") {
					t.Errorf("%s = %q, want the credential redacted", name, got)
				}
			}
		})
	}
}

func TestScrubbedEarlyHints(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusEarlyHints)
		hello(w, r)
	})
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": scrubbing()}})
	c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	c.send("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
	if res := c.response("GET"); res.StatusCode != http.StatusEarlyHints || res.Header.Get("Link") != "Bearer moat-redacted" {
		t.Errorf("the first answer is %s %v, want 103 without the credential", res.Status, res.Header)
	}
	read(t, c.response("GET")).want(t, http.StatusOK, "hello")
}

func TestScrubbedUpgrade(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", upgraded)
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": scrubbing()}})
	c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	c.send("GET / HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if res := c.response("GET"); res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("X-Auth") != "Bearer moat-redacted" {
		t.Fatalf("the answer is %s %v, want 101 without the credential", res.Status, res.Header)
	}
	c.expect("welcome")
	c.send("my %s!", token) // what the agent knows and sends is echoed
	c.expect("my moat-redacted***********!")
}

// TestWhatIsSubstitutedComesBackScrubbed streams both ways at once.
func TestWhatIsSubstitutedComesBackScrubbed(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		flush := http.NewResponseController(w)
		_ = flush.EnableFullDuplex()
		_ = flush.Flush()
		piece := make([]byte, 100)
		for {
			n, err := r.Body.Read(piece)
			_, _ = w.Write(bytes.ReplaceAll(piece[:n], []byte(token), []byte("<"+token+">")))
			_ = flush.Flush()
			if err != nil {
				return
			}
		}
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {
				Substitute: []Substitution{{Placeholder: "PLACE", Secret: token}}, Kinds: []string{inject.Scrub},
			}}})
			r, pw := io.Pipe()
			res, err := c.Do(post(t, r))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			for _, piece := range []string{"one\n", "PLACE\n"} {
				_, _ = io.WriteString(pw, piece)
				want := strings.Replace(piece, "PLACE", "<PLACE>", 1)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
					t.Fatalf("the answer to %q = %q, %v, want %q", piece, got, err, want)
				}
			}
			_ = pw.Close()
		})
	}
}

// letters is a stream of what it has, again and again.
type letters []byte

// Read implements [io.Reader].
func (l letters) Read(p []byte) (int, error) { return copy(p, l), nil }

// TestLargeBodiesNeedLittleMemory sends one through substitution, and brings
// it back through scrubbing.
func TestLargeBodiesNeedLittleMemory(t *testing.T) {
	const size = 16 << 20
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	})
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {
		Substitute: []Substitution{{Placeholder: "PLACE", Secret: token}}, Kinds: []string{inject.Scrub},
	}}})
	c := w.client()
	c.Timeout = 6 * patience // it is a lot for the race detector
	var before runtime.MemStats
	runtime.GC() // what others have left does not count
	runtime.ReadMemStats(&before)
	res, err := c.Do(post(t, io.LimitReader(letters(bytes.Repeat([]byte("a"), 32<<10)), size)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var peak uint64
	for left := int64(size); left > 0; left -= size / 16 {
		if n, err := io.CopyN(io.Discard, res.Body, size/16); err != nil {
			t.Fatalf("read %d of %d: %v", n, size/16, err)
		}
		var now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d MiB for a body of %d", grown>>20, size>>20)
	}
}

// BenchmarkScrubbedAnswer is an answer of 1 MiB through the proxy, with and
// without scrubbing.
func BenchmarkScrubbedAnswer(b *testing.B) {
	text := bytes.Repeat([]byte("data: {\"type\":\"content_block_delta\"}\n\n"), 1<<20/40)
	for _, bb := range []struct {
		name  string
		rules *HostRules
	}{{"as it is", bearer(token)}, {"scrubbed", scrubbing()}} {
		b.Run(bb.name, func(b *testing.B) {
			w := newWorld(b)
			w.lines = make(chan *logrus.Entry, 1<<20)
			w.origin("api.test", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bb.rules}})
			c := w.client()
			c.Timeout = time.Hour
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				get(b, c, "https://api.test/")
			}
		})
	}
}
