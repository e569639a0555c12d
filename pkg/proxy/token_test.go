package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// TestTokenInABody sends bodies over each pair of protocols.
func TestTokenInABody(t *testing.T) {
	far := strings.Repeat("x", scanLimit)
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"alone", attackToken, 403},
		{"inside", "HTTPS_PROXY=http://moat:" + attackToken + "@127.0.0.1:7777", 403},
		{"behind much else", far[len(attackToken):] + attackToken, 403},
		{"a part of it", attackToken[1:], 200},
		{"beyond the limit", far + attackToken, 200},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", tt.name, h2), func(t *testing.T) {
				w := newWorld(t)
				w.originTLS("api.test", func(w http.ResponseWriter, r *http.Request) {
					if b, err := io.ReadAll(r.Body); err == nil && string(b) != tt.body {
						t.Errorf("the upstream read %d bytes, want %d", len(b), len(tt.body))
					} else if err == nil {
						_, _ = io.WriteString(w, "whole")
					}
				}, h2)
				w.run(attackToken, RunSpec{})
				w.run("tok", RunSpec{})
				c := w.clientFor(attackToken, h2)
				req, err := http.NewRequest("POST", "https://api.test/", io.MultiReader(strings.NewReader(tt.body)))
				if err != nil {
					t.Fatal(err)
				}
				res := do(t, c, req)
				res.want(t, tt.status, map[int]string{403: "the token of the run", 200: "whole"}[tt.status])
				if got := res.Header.Get("X-Moat-Blocked"); (got == reasonToken) != (tt.status == 403) {
					t.Errorf("X-Moat-Blocked = %q", got)
				}
			})
		}
	}
}

// FuzzGuard: what passes is what was read, without the token in it, however it
// comes.
func FuzzGuard(f *testing.F) {
	f.Add("", "", 3)
	f.Add("aaaa", "b", 1)
	f.Add(attackToken[:31], attackToken[1:], 16)
	f.Fuzz(func(t *testing.T, before, after string, step int) {
		for _, text := range []string{before + after, before + attackToken + after} {
			req, err := http.NewRequest("POST", "/", io.NopCloser(strings.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			g := guarded(req, attackToken)
			var in io.Reader = req.Body
			if step%2 == 0 {
				in = iotest.OneByteReader(req.Body)
			}
			got, err := io.ReadAll(in)
			has := strings.Contains(text, attackToken)
			if g.caught() != has || errors.Is(err, errTokenInBody) != has || bytes.Contains(got, []byte(attackToken)) {
				t.Errorf("of %q came %q, %v", text, got, err)
			}
			if !has && string(got) != text {
				t.Errorf("of %q came %q", text, got)
			}
		}
	})
}
