package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestSubstituteBody(t *testing.T) {
	const odd = "a\"b\\c&d=e f\n"
	pair := func(placeholder, secret string) []Substitution {
		return []Substitution{{Placeholder: placeholder, Secret: secret}}
	}
	long := strings.Repeat("x", wholeBody)
	for _, tt := range []struct {
		name       string
		substitute []Substitution
		header     []string
		length     int64 // declared, as sent if 0
		sent, want string
		wantLength int64 // that of want if 0
	}{
		{name: "a short body gets its new length", substitute: pair("PLACE", "secret"), sent: "a PLACE b PLACE", want: "a secret b secret"},
		{name: "a body without the placeholder is as it was", substitute: pair("PLACE", "secret"), sent: "a PLAC", want: "a PLAC"},
		{name: "the longest short body", substitute: pair("x!", "secret"), sent: long[1:] + "!", want: long[2:] + "secret"},
		{name: "a long body goes out in chunks", substitute: pair("x!", "secret"), sent: long + "!", want: long[1:] + "secret", wantLength: -1},
		{name: "a long body keeps a length that does not change", substitute: pair("x!", "?y"), sent: long + "!", want: long[1:] + "?y"},
		{name: "a body of unknown length stays so", substitute: pair("PLACE", "secret"), length: -1, sent: "a PLACE", want: "a secret", wantLength: -1},
		{name: "the same where lengths are alike", substitute: pair("PLACE", "12345"), length: -1, sent: "a PLACE", want: "a 12345", wantLength: -1},
		{name: "a body that waits for a 100 is not read", substitute: pair("PLACE", "secret"), header: []string{"Expect", "100-continue"}, sent: "a PLACE", want: "a secret", wantLength: -1},
		{name: "a compressed body is left alone", substitute: pair("PLACE", "secret"), header: []string{"Content-Encoding", "gzip"}, sent: "a PLACE", want: "a PLACE"},
		{name: "identity is no compression", substitute: pair("PLACE", "secret"), header: []string{"Content-Encoding", "identity"}, sent: "a PLACE", want: "a secret"},
		{name: "JSON gets the secret escaped", substitute: pair("PLACE", odd), header: []string{"Content-Type", "application/json; charset=utf-8"}, sent: `{"k":"PLACE"}`, want: `{"k":"a\"b\\c&d=e f\n"}`},
		{name: "JSON of another name too", substitute: pair("PLACE", `"`), header: []string{"Content-Type", "application/vnd.api+json"}, sent: `"PLACE"`, want: `"\""`},
		{name: "lines of JSON too", substitute: pair("PLACE", `"`), header: []string{"Content-Type", "application/x-ndjson"}, sent: "\"PLACE\"\n", want: "\"\\\"\"\n"},
		{name: "in JSON an escaped placeholder is found", substitute: pair(`a"<b>`, "s"), header: []string{"Content-Type", "application/json"}, sent: `["a\"<b>","a\"\u003cb\u003e"]`, want: `["s","s"]`},
		{name: "a form gets the secret escaped", substitute: pair("PLACE", odd), header: []string{"Content-Type", "application/x-www-form-urlencoded"}, sent: "k=PLACE&l=1", want: "k=" + url.QueryEscape(odd) + "&l=1"},
		{name: "in a form an escaped placeholder is found", substitute: pair("a:/b c", "s"), header: []string{"Content-Type", "application/x-www-form-urlencoded"}, sent: "k=a%3A%2Fb+c&k=a%3a%2fb+c&k=a:%2Fb%20c", want: "k=s&k=s&k=s"},
		{name: "text gets the secret as it is", substitute: pair("PLACE", odd), header: []string{"Content-Type", "text/plain"}, sent: "PLACE", want: odd},
		{name: "so does a type that cannot be read", substitute: pair("PLACE", odd), header: []string{"Content-Type", ";;"}, sent: "PLACE", want: odd},
		{name: "messages of gRPC keep their lengths", substitute: pair("PLACE", "secret"), header: []string{"Content-Type", "application/grpc+proto"}, sent: "\x00\x00\x00\x00\x05PLACE", want: "\x00\x00\x00\x00\x05PLACE"},
		{name: "and get a secret that fits", substitute: pair("PLACE", "12345"), header: []string{"Content-Type", "application/grpc"}, sent: "\x00\x00\x00\x00\x05PLACE", want: "\x00\x00\x00\x00\x0512345"},
		{name: "several placeholders", substitute: append(pair("PLACE", "1"), pair("OTHER", "2")...), sent: "OTHERPLACE", want: "21"},
		{name: "no substitution", sent: "PLACE", want: "PLACE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The client sends the body in small pieces.
			req := httptest.NewRequest("POST", "http://host/", io.NopCloser(&parts{split(tt.sent, 4099)}))
			for i := 0; i+1 < len(tt.header); i += 2 {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
			if req.ContentLength = int64(len(tt.sent)); tt.length != 0 {
				req.ContentLength = tt.length
			}
			if tt.wantLength == 0 {
				tt.wantLength = int64(len(tt.want))
			}
			(&Rules{Substitute: tt.substitute}).Request(req)
			got, err := io.ReadAll(req.Body)
			if string(got) != tt.want || err != nil {
				t.Errorf("the body is %d bytes …%q, %v, want …%q", len(got), tail(string(got)), err, tail(tt.want))
			}
			if req.ContentLength != tt.wantLength || req.GetBody != nil {
				t.Errorf("ContentLength = %d, GetBody is there: %t; want %d and no", req.ContentLength, req.GetBody != nil, tt.wantLength)
			}
		})
	}
}

func split(text string, n int) (pieces [][]byte) {
	for len(text) > n {
		pieces = append(pieces, []byte(text[:n]))
		text = text[n:]
	}
	return append(pieces, []byte(text))
}

func tail(s string) string { return s[max(0, len(s)-60):] }

var placed = &Rules{Substitute: []Substitution{{Placeholder: "PLACE", Secret: "secret"}}}

func TestRequestWithoutABody(t *testing.T) {
	for _, body := range []io.ReadCloser{nil, http.NoBody} {
		req := httptest.NewRequest("GET", "http://host/", nil)
		req.Body = body
		placed.Request(req)
		if req.Body != body || req.ContentLength != 0 {
			t.Errorf("Request: body %v became %v with length %d", body, req.Body, req.ContentLength)
		}
	}
}

func TestABodyThatBreaksOffStaysBroken(t *testing.T) {
	for _, length := range []int64{100, -1} {
		broken := errors.New("the client is gone")
		req := httptest.NewRequest("POST", "http://host/", io.MultiReader(strings.NewReader("a PL"), failed{broken}))
		req.ContentLength = length
		placed.Request(req)
		got, err := io.ReadAll(req.Body)
		if string(got) != "a PL" || !errors.Is(err, broken) {
			t.Errorf("length %d: ReadAll = %q, %v, want %v", length, got, err, broken)
		}
	}
}

func TestTheBodyOfTheClientIsReadToItsEndAndClosed(t *testing.T) {
	for _, length := range []int64{7, -1} {
		body := &closed{Reader: strings.NewReader("a PLACE")}
		req := httptest.NewRequest("POST", "http://host/", body)
		req.ContentLength = length
		placed.Request(req)
		_, _ = io.Copy(io.Discard, req.Body)
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("length %d: the body goes on: %v", length, err)
		}
		if err := req.Body.Close(); err != nil || body.times != 1 {
			t.Errorf("length %d: Close = %v, closed %d times, want once", length, err, body.times)
		}
	}
}

func TestAPieceOfABodyDoesNotWaitForTheNext(t *testing.T) {
	r, w := io.Pipe()
	req := httptest.NewRequest("POST", "http://host/", r)
	req.ContentLength = -1
	placed.Request(req)
	for _, piece := range []string{"one", "PLACE", "two PLA!"} {
		go func() { _, _ = io.WriteString(w, piece) }()
		want := strings.Replace(piece, "PLACE", "secret", 1)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(req.Body, got); err != nil || string(got) != want {
			t.Fatalf("read %q, %v, want %q", got, err, want)
		}
	}
}

// FuzzBody checks that each placeholder in a body becomes the secret, and the
// rest stays, whatever stands around it.
func FuzzBody(f *testing.F) {
	f.Add("a", "b", "text/plain", int8(1))
	f.Add("PLA", "CE", "application/json", int8(-1))
	f.Fuzz(func(t *testing.T, before, after, kind string, length int8) {
		if strings.Contains(strings.ToLower(kind), "grpc") {
			t.Skip("left alone")
		}
		body := before + "PLACE" + after
		req := httptest.NewRequest("POST", "http://host/", strings.NewReader(body))
		req.Header.Set("Content-Type", kind)
		if length < 0 {
			req.ContentLength = -1
		}
		placed.Request(req)
		got, err := io.ReadAll(req.Body)
		if want := strings.ReplaceAll(body, "PLACE", "secret"); string(got) != want || err != nil {
			t.Errorf("%q became %q, %v, want %q", body, got, err, want)
		}
		if req.ContentLength >= 0 && req.ContentLength != int64(len(got)) {
			t.Errorf("ContentLength = %d, want %d", req.ContentLength, len(got))
		}
	})
}

func ExampleRules_Request_body() {
	rules := &Rules{Substitute: []Substitution{{Placeholder: "moat-stub-linear", Secret: "lin_api_real"}}}
	out := httptest.NewRequest("POST", "https://host/", strings.NewReader(`{"key":"moat-stub-linear"}`))
	rules.Request(out)
	body, _ := io.ReadAll(out.Body)
	fmt.Println(out.ContentLength, string(body))
	// Output: 22 {"key":"lin_api_real"}
}

// BenchmarkBody streams 64 MiB.
func BenchmarkBody(b *testing.B) {
	const size = 64 << 20
	piece := bytes.Repeat([]byte("a line of what agents send; "), 1200)[:32<<10]
	buf := make([]byte, 32<<10)
	b.SetBytes(size)
	for b.Loop() {
		left := make([][]byte, size/len(piece))
		for i := range left {
			left[i] = piece
		}
		req := httptest.NewRequest("POST", "http://host/", io.NopCloser(&parts{left}))
		placed.Request(req)
		if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{req.Body}, buf); err != nil {
			b.Fatal(err)
		}
	}
}
