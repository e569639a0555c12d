package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A stream is a request of HTTP/2 as frames: what a client library would never
// send.
type stream struct {
	name   string
	to     string // target of the tunnel, "" means api.test:443
	sni    string // "" means the name in to
	fields string // of the head, one for each line: name, a space, value; "\n" as \n
	body   string // sent as one frame of DATA
	status string // of the answer; "" where the stream is reset or the connection ends
	reads  string // as in attack
}

// TestAttackHTTP2 sends frames: what an upstream of HTTP/1.1 would read as
// another request, or as one for another host, must not come to it.
func TestAttackHTTP2(t *testing.T) {
	const (
		get   = ":method GET|:scheme https|:authority api.test|:path /x"
		post  = ":method POST|:scheme https|:authority api.test|:path /x"
		clean = "https://api.test:443 GET /x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\n\r\n"
	)
	a := newArena(t)
	for _, tt := range []stream{
		{name: "all is well", fields: get, status: "200", reads: clean},
		{name: ":authority of another host", fields: ":method GET|:scheme https|:authority evil.test|:path /", status: "421"},
		{name: ":authority of the credential in a tunnel elsewhere", to: "evil.test:443", fields: get, status: "421"},
		{name: ":authority with a user", fields: ":method GET|:scheme https|:authority api.test@evil.test|:path /"},
		{name: ":authority with a path", fields: ":method GET|:scheme https|:authority api.test/evil|:path /", status: "400"},
		{name: ":authority at another port", fields: ":method GET|:scheme https|:authority api.test:8443|:path /", status: "421"},
		{name: "neither :authority nor Host", fields: ":method GET|:scheme https|:path /", status: "400"},
		{name: "Host of another host instead of :authority", fields: ":method GET|:scheme https|:path /|host evil.test", status: "421"},
		{name: "Host of another host beside :authority", fields: get + "|host evil.test", status: "421"},
		{name: "Host twice", fields: ":method GET|:scheme https|:path /|host api.test|host evil.test", status: "421"},
		{name: ":authority twice", fields: get + "|:authority evil.test"},
		{name: ":path twice", fields: get + "|:path /y"},
		{name: ":path with a space", fields: ":method GET|:scheme https|:authority api.test|:path /x HTTP/1.1", status: "200", reads: "https://api.test:443 GET /x%20HTTP/1.1 HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\n\r\n"},
		{name: ":path with an end of line", fields: ":method GET|:scheme https|:authority api.test|:path /x HTTP/1.1\\r\\nHost: evil.test\\r\\n"},
		{name: ":path that is a URL", fields: ":method GET|:scheme https|:authority api.test|:path https://evil.test/", status: "400"},
		{name: ":path without a slash", fields: ":method GET|:scheme https|:authority api.test|:path evil.test"},
		{name: ":path is empty", fields: ":method GET|:scheme https|:authority api.test|:path "},
		{name: ":method with a space", fields: ":method GET /smuggled HTTP/1.1|:scheme https|:authority api.test|:path /", status: "400"},
		{name: ":method with an end of line", fields: ":method GET / HTTP/1.1\\r\\nX:|:scheme https|:authority api.test|:path /"},
		{name: ":scheme of another kind", fields: ":method GET|:scheme ftp|:authority api.test|:path /"},
		{name: ":scheme of cleartext, which goes on as TLS", fields: ":method GET|:scheme http|:authority api.test|:path /x", status: "200", reads: clean},
		{name: ":scheme of cleartext, and SNI of another host", sni: "evil.test", fields: ":method GET|:scheme http|:authority api.test|:path /", status: "421"},
		{name: "SNI of another host", sni: "evil.test", fields: get, status: "421"},
		{name: "a pseudo-header that nobody knows", fields: get + "|:x y"},
		{name: "a pseudo-header of answers", fields: get + "|:status 200"},
		{name: "a pseudo-header after the others", fields: ":method GET|:scheme https|:authority api.test|x y|:path /"},
		{name: "CONNECT", fields: ":method CONNECT|:authority evil.test:443", status: "400"},
		{name: "TRACE", fields: ":method TRACE|:scheme https|:authority api.test|:path /", status: "400"},
		{name: "a CR LF in a value", fields: get + "|x a\\r\\nContent-Length: 1"},
		{name: "a LF in a value", fields: get + "|x a\\nTransfer-Encoding: chunked"},
		{name: "a NUL in a value", fields: get + "|x a\\0b"},
		{name: "a colon in a name", fields: get + "|x:y z"},
		{name: "a CR LF in a name", fields: get + "|x:\\r\\ny z"},
		{name: "capitals in a name", fields: get + "|Authorization mine"},
		{name: "an empty name", fields: get + "| z"},
		{name: "transfer-encoding", fields: post + "|transfer-encoding chunked", body: "0\r\n\r\n", status: "400"},
		{name: "transfer-encoding and a length", fields: post + "|transfer-encoding chunked|content-length 5", body: "0\r\n\r\n", status: "400"},
		{name: "connection", fields: get + "|connection authorization", status: "400"},
		{name: "upgrade", fields: get + "|upgrade h2c", status: "400"},
		{name: "proxy-connection", fields: get + "|proxy-connection close", status: "400"},
		{name: "te with more than trailers", fields: get + "|te trailers, chunked", status: "400"},
		{name: "a length below that of the body", fields: post + "|content-length 1", body: "aGET /smuggled HTTP/1.1\r\n\r\n"},
		{name: "a length above that of the body", fields: post + "|content-length 9", body: "a", status: "400"},
		{name: "two lengths", fields: post + "|content-length 1|content-length 2", body: "a", status: "400"},
		{name: "a length that is no number", fields: post + "|content-length +1", body: "a", status: "400"},
		{name: "the token", fields: get + "|x " + attackToken, status: "403"},
		{name: "a placeholder of another host", fields: get + "|x PLACEHOLDER", status: "403"},
		{name: "the agent's own value", fields: get + "|authorization mine|authorization too", status: "200", reads: clean},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dials := len(a.dialled())
			// Of a body that is wrong net/http may speak first, with a reset.
			if got := a.frames(t, tt); got != tt.status && (got != "" || tt.body == "") {
				t.Errorf("answer = %q, want %q", got, tt.status)
			}
			a.settled() // what is left of a request that was cut off may come late
			got := a.take()
			for url, text := range got {
				if whole := url + " " + text; whole != tt.reads && !cutOff(text) {
					t.Errorf("origins read %q, want %q", whole, tt.reads)
				}
			}
			if dialled := a.dialled()[dials:]; tt.status != "200" && tt.body == "" && len(got)+len(dialled) > 0 {
				t.Errorf("origins read %q, and %v was dialled, want nothing", got, dialled)
			}
		})
	}
}

// cutOff reports whether text is not a whole request: what is left of one whose
// body turned out to be wrong.
func cutOff(text string) bool {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return true
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err != nil
}

// frames sends the request and returns the status of the answer, "" for none.
func (a *arena) frames(t *testing.T, tt stream) string {
	t.Helper()
	to := tt.to
	if to == "" {
		to = "api.test:443"
	}
	c := a.dial()
	c.send("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", to, to, attackAuth)
	c.response("CONNECT")
	sni, _, _ := strings.Cut(to, ":")
	if tt.sni != "" {
		sni = tt.sni
	}
	secure := tls.Client(c.Conn, &tls.Config{ServerName: sni, RootCAs: poolOf(authorities().ours), NextProtos: []string{"h2"}})
	_, err := io.WriteString(secure, http2.ClientPreface)
	fr := http2.NewFramer(secure, secure)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	err = errors.Join(err, fr.WriteSettings(), fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: tt.block(), EndHeaders: true, EndStream: tt.body == "",
	}))
	if tt.body != "" {
		err = errors.Join(err, fr.WriteData(1, true, []byte(tt.body)))
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := fr.ReadFrame()
		if err != nil {
			return ""
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return ""
		}
	}
}

// block returns the fields in HPACK.
func (tt stream) block() []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for field := range strings.SplitSeq(tt.fields, "|") {
		name, value, _ := strings.Cut(field, " ")
		f := hpack.HeaderField{Name: unescape(name), Value: unescape(value)}
		if err := enc.WriteField(f); err != nil {
			panic(fmt.Sprint("hpack in memory: ", err))
		}
	}
	return b.Bytes()
}

func unescape(s string) string {
	return strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(s)
}
