package coding

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

func openGzip(in *bufio.Reader) (io.ReadCloser, error) { return gzip.NewReader(in) }

// openDeflate opens what RFC 9110 calls deflate, which is zlib, and what some
// servers send instead, which is deflate.
func openDeflate(in *bufio.Reader) (io.ReadCloser, error) {
	head, err := in.Peek(2)
	if err == nil && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 { // RFC 1950, section 2.2
		return zlib.NewReader(in)
	}
	return flate.NewReader(in), nil // which finds a body of one byte too short
}

func openBrotli(in *bufio.Reader) (io.ReadCloser, error) {
	return io.NopCloser(brotli.NewReader(in)), nil
}

// zstdWindow is the largest window that a sender may ask for in HTTP, in bytes:
// RFC 9659, section 3.
const zstdWindow = 8 << 20

func openZstd(in *bufio.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(in,
		zstd.WithDecoderConcurrency(1), // no goroutine, no block read ahead
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow),
	)
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}
