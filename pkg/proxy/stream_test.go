package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A version says which HTTP is spoken on either side.
type version struct {
	name             string
	client, upstream bool // HTTP/2 and not HTTP/1.1
}

func versions() []version {
	return []version{
		{"HTTP/1.1 to HTTP/1.1", false, false},
		{"HTTP/1.1 to HTTP/2", false, true},
		{"HTTP/2 to HTTP/1.1", true, false},
		{"HTTP/2 to HTTP/2", true, true},
	}
}

// world returns one with https://api.test, and a client.
func (v version) world(t *testing.T, origin http.HandlerFunc) (*world, *http.Client) {
	t.Helper()
	w := newWorld(t)
	w.originTLS("api.test", origin, v.upstream)
	w.run("tok", RunSpec{})
	return w, w.clientOf(v.client)
}

func post(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.test/", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestEventArrivesBeforeTheNextIsSent has the origin wait for the client to
// have read each event before it sends the next.
func TestEventArrivesBeforeTheNextIsSent(t *testing.T) {
	next := make(chan struct{})
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w)
		_ = flush.Flush() // the head goes out before there is an event
		for i := range 3 {
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = flush.Flush()
		}
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			_, c := v.world(t, origin)
			res, err := c.Get("https://api.test/")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			for i := range 3 {
				next <- struct{}{}
				want := fmt.Sprintf("data: %d\n\n", i)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
					t.Fatalf("event %d = %q, %v, want %q", i, got, err, want)
				}
			}
		})
	}
}

// TestRequestAndAnswerStreamAtTheSameTime sends each piece of the request only
// once the answer to the one before it has come.
func TestRequestAndAnswerStreamAtTheSameTime(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		flush := http.NewResponseController(w)
		_ = flush.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = flush.Flush()
		piece := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r.Body, piece); err != nil {
				return
			}
			_, _ = w.Write(bytes.ToUpper(piece))
			_ = flush.Flush()
		}
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			_, c := v.world(t, origin)
			r, w := io.Pipe()
			res, err := c.Do(post(t, r))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			for _, b := range []string{"a", "b", "c"} {
				if _, err := io.WriteString(w, b); err != nil {
					t.Fatalf("send %q: %v", b, err)
				}
				got := make([]byte, 1)
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != strings.ToUpper(b) {
					t.Fatalf("the answer to %q = %q, %v", b, got, err)
				}
			}
			_ = w.Close()
			if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 {
				t.Errorf("the rest = %q, %v, want the end", rest, err)
			}
		})
	}
}

func TestTrailersBothWays(t *testing.T) {
	got := make(chan http.Header, 1)
	origin := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Trailer
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(body)
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Late", "1")
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": {
				Credentials: []Header{{Name: "X-Api-Key", Value: "real"}},
			}}})
			req := post(t, io.MultiReader(strings.NewReader("body"))) // of unknown length
			req.Trailer = http.Header{"X-Sum": {"42"}, "X-Api-Key": {"mine"}}
			res := do(t, c, req)
			res.want(t, http.StatusOK, "body")
			if s := receive(t, "the trailer", got); s.Get("X-Sum") != "42" || s.Get("X-Api-Key") != "" {
				t.Errorf("the upstream's trailer = %v, want X-Sum: 42 and no X-Api-Key", s)
			}
			if s := res.Trailer; s.Get("Grpc-Status") != "0" || s.Get("Late") != "1" {
				t.Errorf("the client's trailer = %v, want Grpc-Status: 0 and Late: 1", s)
			}
		})
	}
}

func TestBodylessAnswers(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "1234")
			w.WriteHeader(http.StatusOK)
		}
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			_, c := v.world(t, origin)
			for _, tt := range []struct {
				method, path string
				status       int
				length       int64
			}{{"GET", "/204", 204, 0}, {"GET", "/304", 304, 0}, {"HEAD", "/", 200, 1234}} {
				req, err := http.NewRequest(tt.method, "https://api.test"+tt.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				res := do(t, c, req)
				res.want(t, tt.status, "")
				if res.text != "" || res.ContentLength > 0 && res.ContentLength != tt.length {
					t.Errorf("%s %s: body %q of length %d, want none", tt.method, tt.path, res.text, res.ContentLength)
				}
			}
		})
	}
}

func TestCompressedBodyIsLeftAlone(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "hello")
	_ = z.Close()
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Accepted", r.Header.Get("Accept-Encoding"))
		_, _ = w.Write(packed.Bytes())
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			_, c := v.world(t, origin)
			res := get(t, c, "https://api.test/")
			if res.text != packed.String() || res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("X-Accepted") != "" {
				t.Errorf("body %x, header %v; want it as the upstream sent it", res.text, res.Header)
			}
		})
	}
}

func TestLargeBodiesBothWays(t *testing.T) {
	const size = 64 << 20
	w := newWorld(t)
	w.originH2("api.test", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	})
	w.run("tok", RunSpec{})
	res, err := w.client().Do(post(t, io.LimitReader(zeros{}, size)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
		t.Errorf("%d bytes came back, %v, want %d", n, err, size)
	}
}

type zeros struct{}

// Read implements [io.Reader].
func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestContinue(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	w.run("tok", RunSpec{})
	const head = "POST %s HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	t.Run("is asked of the upstream before the body is sent", func(t *testing.T) {
		c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
		c.send(head, "/yes")
		if res := c.response("POST"); res.StatusCode != http.StatusContinue {
			t.Fatalf("the first answer is %s, want 100", res.Status)
		}
		c.send("body")
		read(t, c.response("POST")).want(t, http.StatusOK, "body")
	})
	t.Run("is not given if the upstream refuses", func(t *testing.T) {
		c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
		c.send(head, "/no")
		if res := c.response("POST"); res.StatusCode != http.StatusExpectationFailed {
			t.Errorf("the first answer is %s, want 417", res.Status)
		}
	})
}

// TestContinueIsSaidOnce has an upstream whose 100 comes after the body that it
// is for, so that the client has had ours long before.
func TestContinueIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, _ *http.Request) {
		conn, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		body := make([]byte, 5)
		_, _ = io.ReadFull(in, body)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", body)
	})
	w.run("tok", RunSpec{})
	c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	c.send("POST / HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if res := c.response("POST"); res.StatusCode != http.StatusContinue {
		t.Fatalf("the first answer is %s, want 100", res.Status)
	}
	c.send("hello")
	read(t, c.response("POST")).want(t, http.StatusOK, "hello")
}

func TestEarlyHintsComeThrough(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		hello(w, r)
	})
	w.run("tok", RunSpec{})
	c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	c.send("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
	if res := c.response("GET"); res.StatusCode != http.StatusEarlyHints || res.Header.Get("Link") == "" {
		t.Errorf("the first answer is %s %v, want 103 with its Link", res.Status, res.Header)
	}
	read(t, c.response("GET")).want(t, http.StatusOK, "hello")
}

// upgraded is an origin that turns a connection into an echo, its first bytes
// in one packet with the head of its answer.
func upgraded(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Auth: %s\r\n\r\nwelcome", r.Header.Get("Authorization"))
	_, _ = io.Copy(conn, buffered)
}

func (w *world) upgrade() *wire {
	w.Helper()
	c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
	// "first" follows the head at once, as some clients do it.
	c.send("GET / HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
	res := c.response("GET")
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("X-Auth") != "Bearer real" {
		w.Fatalf("the answer to an upgrade is %s %v, want 101 and the credential", res.Status, res.Header)
	}
	return c
}

func (c *wire) expect(want string) {
	c.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
		c.Fatalf("read %q, %v, want %q", got, err, want)
	}
}

func TestUpgrade(t *testing.T) {
	for _, tt := range []struct {
		name string
		h2   bool
	}{{"of an upstream that speaks HTTP/1.1", false}, {"of an upstream that speaks HTTP/2 too", true}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.originTLS("api.test", upgraded, tt.h2)
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real")}})
			c := w.upgrade()
			c.expect("welcome")
			c.expect("first")
			for _, s := range []string{"a", "\x00\xff", "the end"} {
				c.send("%s", s)
				c.expect(s)
			}
			_ = c.Close()
			if got := w.line().Data["status"]; got != http.StatusSwitchingProtocols {
				t.Errorf("status in the log = %v, want 101", got)
			}
		})
	}
}

func TestClientThatGoesAwayCancelsItsRequest(t *testing.T) {
	gone := make(chan struct{}, 1)
	started := make(chan struct{}, 1)
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		started <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			res, err := c.Do(post(t, nil).WithContext(ctx))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			receive(t, "the start", started)
			cancel()
			receive(t, "the end of the upstream's request", gone)
			line := w.line()
			if line.Data["status"] != http.StatusOK {
				t.Errorf("log line = %v, want status 200", line.Data)
			}
		})
	}
}
