package proxy

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
)

// BenchmarkRequest is one request through an open tunnel, in parallel.
func BenchmarkRequest(b *testing.B) {
	w := benchWorld(b)
	b.RunParallel(func(pb *testing.PB) {
		c := w.client()
		for pb.Next() {
			res, err := c.Get("https://api.test/")
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
}

// BenchmarkTunnel is a new tunnel with one request.
func BenchmarkTunnel(b *testing.B) {
	w := benchWorld(b)
	for b.Loop() {
		c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
		c.ask("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").want(b, http.StatusOK, "hello")
		_ = c.Close()
	}
}

func benchWorld(b *testing.B) *world {
	b.Helper()
	w := newWorld(b)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real")}})
	go func() {
		for range w.lines { // nobody reads the log of a benchmark
		}
	}()
	return w
}
