package proxy

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
)

// TestAttackFraming tries to have one request read as two, or two as one: inside
// a tunnel to the host of a credential, and on the proxy's own port.
func TestAttackFraming(t *testing.T) { newArena(t).attacks(t, framingAttacks()) }

func framingAttacks() []attack {
	const (
		api   = "api.test:443"
		post  = "POST /x HTTP/1.1\r\nHost: api.test\r\n"
		plain = "POST http://evil.test/x HTTP/1.1\r\nHost: evil.test\r\nAUTH"
		inner = "GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n"
	)
	return []attack{
		{name: "CL.TE", to: api, raw: post + "Content-Length: 49\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, status: 400, reason: "malformed"},
		{name: "TE.CL", to: api, raw: post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner, status: 400, reason: "malformed"},
		{name: "CL.TE on the plain port", raw: plain + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "CL.TE, in other cases", to: api, raw: post + "content-length: 5\r\ntransfer-ENCODING: Chunked\r\n\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "CL.TE, the length 0", to: api, raw: post + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "CL.CL", to: api, raw: post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", status: 400},
		{name: "CL.CL in one line", to: api, raw: post + "Content-Length: 1, 2\r\n\r\nab", status: 400},
		{name: "CL.CL in one line, alike", to: api, raw: post + "Content-Length: 1, 1\r\n\r\na", status: 400},
		{name: "a length with a sign", to: api, raw: post + "Content-Length: +1\r\n\r\na", status: 400},
		{name: "a length below zero", to: api, raw: post + "Content-Length: -1\r\n\r\n", status: 400},
		{name: "a length in hex", to: api, raw: post + "Content-Length: 0x1\r\n\r\na", status: 400},
		{name: "a length with an underscore", to: api, raw: post + "Content-Length: 1_0\r\n\r\na", status: 400},
		{name: "a length beyond 64 bits", to: api, raw: post + "Content-Length: 18446744073709551617\r\n\r\na", status: 400},
		{name: "an empty length", to: api, raw: post + "Content-Length:\r\n\r\n", status: 400},
		{name: "TE.TE, the second unknown", to: api, raw: post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", status: 501},
		{name: "TE.TE, alike", to: api, raw: post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 501},
		{name: "TE.TE in one line", to: api, raw: post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", status: 501},
		{name: "a coding before chunked", to: api, raw: post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", status: 501},
		{name: "the coding xchunked", to: api, raw: post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", status: 501},
		{name: "the coding in quotes", to: api, raw: post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", status: 501},
		{name: "the coding after a vertical tab", to: api, raw: post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", status: 400},
		{name: "the coding identity", to: api, raw: post + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na", status: 501},
		{name: "a space before the colon", to: api, raw: post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", status: 400},
		{name: "a tab before the colon", to: api, raw: post + "Content-Length\t: 1\r\n\r\na", status: 400},
		{name: "a space before the name", to: api, raw: "POST / HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: api.test\r\n\r\n0\r\n\r\n", status: 400},
		{name: "a value folded over two lines", to: api, raw: post + "X: a\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\na", status: 400, reason: "malformed"},
		{name: "a coding folded over two lines", to: api, raw: post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "a line without a colon", to: api, raw: post + "Transfer-Encoding chunked\r\n\r\n", status: 400},
		{name: "an empty name", to: api, raw: post + ": x\r\n\r\n", status: 400},
		{name: "a NUL in a name", to: api, raw: post + "X\x00Y: z\r\n\r\n", status: 400},
		{name: "a NUL in a value", to: api, raw: post + "X: a\x00b\r\n\r\n", status: 400},
		{name: "a CR in a value", to: api, raw: post + "X: a\rTransfer-Encoding: chunked\r\n\r\n", status: 400},
		{name: "a CR alone at the end of a line", to: api, raw: post + "X: a\r\r\nY: b\r\n\r\n", status: 400},
		{name: "a LF alone at the end of a line", to: api, raw: post + "X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "LF alone everywhere", to: api, raw: "POST / HTTP/1.1\nHost: api.test\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "a chunk size with a sign", to: api, raw: post + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "HTTP/1.0 with chunks", to: api, raw: "POST / HTTP/1.0\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, status: 400, reason: "malformed"},
		{name: "HTTP/0.9", to: api, raw: "GET /\r\n\r\n", status: 400},
		{name: "a version of its own", to: api, raw: "GET / HTTP/1.1 HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400},
		{name: "HTTP/1.2 goes on as HTTP/1.1", to: api, raw: "GET / HTTP/1.2\r\nHost: api.test\r\n\r\n", status: 200, reads: "https://api.test:443 GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\n\r\n"},
		{name: "HTTP/2.0 in words", to: api, raw: "GET / HTTP/2.0\r\nHost: api.test\r\n\r\n", status: 505},
		{name: "a space in the target", to: api, raw: "GET /a b HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400},
		{name: "a method that is no token", to: api, raw: "GE:T / HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400},
		{name: "an expectation that is unknown", to: api, raw: post + "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\na", status: 417},
	}
}

// TestAttackLater hides what is wrong behind what is right.
func TestAttackLater(t *testing.T) {
	for _, tt := range []struct{ name, first, then string }{
		{"CL.TE in the second request", "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"CL.TE behind a body", "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1\r\n\r\na", "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
		{"CL.TE behind chunks and a trailer", "POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\nX: y\r\n\r\n", "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	} {
		for _, together := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				c := newArena(t).enter(t, "api.test:443", "")
				if together {
					c.send("%s", tt.first+tt.then)
				} else {
					c.send("%s", tt.first)
				}
				read(t, c.response("GET")).want(t, 200, "")
				if !together {
					c.send("%s", tt.then)
				}
				read(t, c.response("GET")).want(t, 400, "both a Content-Length and a Transfer-Encoding")
				c.ended()
			})
		}
	}
}

// TestAttackInABody makes the framing wrong when the upstream has the head
// already: it must never see the end of that request.
func TestAttackInABody(t *testing.T) {
	for _, tt := range []struct{ name, chunk string }{
		{"a size with a sign", "+1\r\nb\r\n0\r\n\r\n"},
		{"a size in other letters", "0x1\r\nb\r\n0\r\n\r\n"},
		{"a size beyond 64 bits", "10000000000000001\r\nb\r\n0\r\n\r\n"},
		{"an empty size", "\r\nb\r\n0\r\n\r\n"},
		{"a LF alone", "1\nb\r\n0\r\n\r\n"},
		{"more than the size", "1\r\nbc\r\n0\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			began, ended := make(chan string, 1), make(chan error, 1)
			w.origin("api.test", func(_ http.ResponseWriter, r *http.Request) {
				one := make([]byte, 1)
				_, _ = io.ReadFull(r.Body, one)
				began <- string(one)
				_, err := io.Copy(io.Discard, r.Body)
				ended <- err
			})
			w.run("tok", RunSpec{Hosts: map[string]*HostRules{"api.test": bearer("real")}})
			c := w.tunnel("api.test:443", &tls.Config{ServerName: "api.test"})
			c.send("POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
			receive(t, "the first chunk", began)
			c.send("%s", tt.chunk)
			read(t, c.response("POST")).want(t, 400, "moat: ")
			if err := receive(t, "the end at the upstream", ended); err == nil {
				t.Error("the upstream read a whole request, want one that is cut off")
			}
			c.ended()
		})
	}
}
