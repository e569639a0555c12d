package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestAsk_countsHowAConnectionEnded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(net.Conn) // nil: nobody listens
		want  counts
	}{
		{"any status is an answer", func(c net.Conn) {
			io.ReadFull(c, make([]byte, 4))
			io.WriteString(c, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
		}, counts{OK: 1}},
		{"nobody listens", nil, counts{Refused: 1}},
		{"closed before it was asked", func(net.Conn) {}, counts{Reset: 1}},
		{"closed in the middle of the head", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nServer: x\r\n") }, counts{Reset: 1}},
		{"an answer that is no HTTP", func(c net.Conn) {
			io.ReadFull(c, make([]byte, 18)) // all of the question: what is not read turns the end into a reset
			io.WriteString(c, "hello\r\n\r\n")
		}, counts{Other: 1}},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(tt.name+" over "+network, func(t *testing.T) {
				tl := newTally()
				tl.add(target{network, listen(t, network, tt.serve), "GET / HTTP/1.1\r\n\r\n"}.ask(t.Context()))
				got := tl.counts
				got.Example, got.SlowestMS = "", 0
				if got != tt.want {
					t.Errorf("counts %+v, want %+v (%s)", got, tt.want, tl.counts.Example)
				}
			})
		}
	}
}

func TestAsk_noSocketFileIsARefusal(t *testing.T) {
	tl := newTally()
	tl.add(target{"unix", filepath.Join(t.TempDir(), "none"), ""}.ask(t.Context()))
	if want := (counts{Refused: 1}); tl.counts != want {
		t.Errorf("counts %+v, want %+v", tl.counts, want)
	}
}

func TestLoad_waitsForTheLastAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := listen(t, "tcp", func(c net.Conn) {
		io.ReadFull(c, make([]byte, 4))
		cancel() // it is time to stop, and one question is open
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	got := load(ctx, map[string]target{"a": {"tcp", address, "GET "}}, time.Hour)
	if got["a"].OK != 1 || got["a"].Other != 0 {
		t.Errorf("load that ends before the answer: %+v, want one ok", got["a"])
	}
}

func TestLoad_asksNothingWhenItIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := load(ctx, map[string]target{"a": {"tcp", "127.0.0.1:1", "GET "}}, time.Hour)
	if got["a"] != (counts{}) {
		t.Errorf("load with a context that is over: %+v, want nothing asked", got["a"])
	}
}

func TestTally_keepsTheSlowestAndTheFirstExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTally()
		for _, d := range []time.Duration{time.Millisecond, time.Second, 2 * time.Millisecond} {
			go tl.add(d, nil)
			go tl.add(0, io.ErrNoProgress)
		}
		synctest.Wait()
		want := counts{OK: 3, Other: 3, Example: io.ErrNoProgress.Error(), SlowestMS: 1000}
		if tl.counts != want {
			t.Errorf("counts %+v, want %+v", tl.counts, want)
		}
	})
}

// listen serves connections one by one until t is over, and returns the address.
// With no serve, nobody listens there any more.
func listen(t *testing.T, network string, serve func(net.Conn)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if serve == nil {
		ln.Close()
		return ln.Addr().String()
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	return ln.Addr().String()
}
