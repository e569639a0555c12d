package framing

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// head begins a request; the rest of its head follows.
const head = "POST / HTTP/1.1\r\nHost: a\r\n"

var streams = []struct {
	name, bytes string
	heads       int64
	want        error
}{
	{"no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, nil},
	{"two requests", head + "\r\n" + head + "\r\n", 2, nil},
	{"a body of a known length", head + "Content-Length: 4\r\n\r\n\n\n\n\n" + head + "\r\n", 2, nil},
	{"a body of no length", head + "Content-Length: 0\r\n\r\n" + head + "\r\n", 2, nil},
	{"a body that looks like a head", head + "Content-Length: 44\r\n\r\nContent-Length: 1\r\nTransfer-Encoding: c\n\n\n\n\n" + head + "\r\n", 2, nil},
	{"chunks", head + "Transfer-Encoding: chunked\r\n\r\n2\r\n\n\n\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n" + head + "\r\n", 2, nil},
	{"chunks and trailers", head + "transfer-encoding: CHUNKED\r\n\r\n1 \r\na\r\n0\r\nX: y\r\nZ: \r\n\r\n" + head + "\r\n", 2, nil},
	{"a long line", head + "X: " + strings.Repeat("y", 5000) + "\r\nContent-Length: 1\r\n\r\na" + head + "\r\n", 2, nil},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 1, nil},
	{"a length, then a coding", head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 1, errBoth},
	{"a coding, then a length", head + "Transfer-Encoding: x\r\nA: b\r\ncontent-LENGTH: 0\r\n\r\n", 1, errBoth},
	{"both in the second request", head + "\r\n" + head + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 2, errBoth},
	{"a coding in one request and a length in the next", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + head + "Content-Length: 1\r\n\r\na", 2, nil},
	{"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 1, errOld},
	{"a coding in HTTP/1.0, of a long target", "POST /" + strings.Repeat("a", 5000) + " HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 1, errOld},
	{"a LF after a header", head + "A: b\n\r\n", 1, errLF},
	{"a LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 1, errLF},
	{"a LF that ends the head", head + "\n", 1, errLF},
	{"a LF after the size of a chunk", head + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n", 1, errLF},
	{"a folded header", head + "A: b\r\n c\r\n\r\n", 1, errFold},
	{"a folded header with a tab", head + "A: b\r\n\tc\r\n\r\n", 1, errFold},
	{"a size that is none", head + "Transfer-Encoding: chunked\r\n\r\n0x1\r\n", 1, errChunk},
	{"a size with a sign", head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 1, errChunk},
	{"a size beyond 63 bits", head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 1, errChunk},
	{"a long size", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 99) + "1\r\n", 1, errChunk},
	{"no size", head + "Transfer-Encoding: chunked\r\n\r\n\r\n", 1, errChunk},
	{"more than the size", head + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 1, errChunk},
}

func TestScan(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, 7, 64, len(tt.bytes)} {
				var s scanner
				if err := scanIn(&s, []byte(tt.bytes), step); !errors.Is(err, tt.want) || s.heads != tt.heads {
					t.Errorf("scan, %d bytes at a time: %d heads, %v; want %d, %v", step, s.heads, err, tt.heads, tt.want)
				}
			}
		})
	}
}

// scanIn scans p in steps.
func scanIn(s *scanner, p []byte, step int) error {
	for len(p) > 0 {
		n := min(step, len(p))
		if err := s.scan(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// FuzzScan: where the scanner has nothing to say, it and net/http see the same
// number of requests, however the bytes come.
func FuzzScan(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.bytes), 3)
	}
	f.Fuzz(func(t *testing.T, p []byte, step int) {
		var whole, parts scanner
		errWhole := whole.scan(p)
		errParts := scanIn(&parts, p, max(1, step))
		if !errors.Is(errParts, errWhole) || whole.heads != parts.heads {
			t.Fatalf("scan = %d, %v at once, and %d, %v in steps of %d", whole.heads, errWhole, parts.heads, errParts, step)
		}
		if n, ok := requests(p); ok && errWhole == nil && n != whole.heads {
			t.Errorf("net/http reads %d requests, and the scanner %d", n, whole.heads)
		}
	})
}

// requests returns how many requests net/http reads; ok is false if it refuses
// any or wants more.
func requests(p []byte) (n int64, ok bool) {
	in := bufio.NewReader(bytes.NewReader(p))
	for ; ; n++ {
		if _, err := in.Peek(1); err != nil {
			return n, true
		}
		req, err := http.ReadRequest(in)
		if err != nil || req.Method == http.MethodConnect {
			return n, false
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return n, false
		}
	}
}

func BenchmarkScan(b *testing.B) {
	request := []byte(head + "User-Agent: curl/8.1\r\nAccept: */*\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\nContent-Length: 32768\r\n\r\n")
	request = append(request, make([]byte, 32768)...)
	var s scanner
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.scan(request); err != nil {
			b.Fatal(err)
		}
	}
}
