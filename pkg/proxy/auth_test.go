package proxy

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestTokenOf(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tt := range []struct {
		name, value, want string
		err               error
	}{
		{"no header", "", "", errNoToken},
		{"Basic, whoever the user", "Basic " + encode("any:tok"), "tok", nil},
		{"Basic without a user", "Basic " + encode(":tok"), "tok", nil},
		{"the scheme is in any case", "bASIC " + encode("u:tok"), "tok", nil},
		{"a token with a colon", "Basic " + encode("u:a:b"), "a:b", nil},
		{"Bearer", "Bearer tok", "tok", nil},
		{"more than one space", "Bearer   tok ", "tok", nil},
		{"a token in the place of the user", "Basic " + encode("tok:"), "", errBadToken},
		{"Basic that is not base64", "Basic !!", "", errBadToken},
		{"Basic without a colon", "Basic " + encode("tok"), "", errBadToken},
		{"Bearer with nothing after it", "Bearer", "", errBadToken},
		{"another scheme", "Digest x", "", errBadToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Header: http.Header{}}
			if tt.value != "" {
				r.Header.Set("Proxy-Authorization", tt.value)
			}
			if got, err := tokenOf(r); got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("tokenOf(%q) = %q, %v, want %q, %v", tt.value, got, err, tt.want, tt.err)
			}
		})
	}
}

// FuzzTokenOf checks that a token is found whole or not at all, and that an
// error never repeats what was sent.
func FuzzTokenOf(f *testing.F) {
	for _, s := range []string{"", "Basic bW9hdDp0b2s=", "bearer tok", "Basic !!", "Negotiate YII", "Bearer  ", "Basic Og=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := tokenOf(&http.Request{Header: http.Header{"Proxy-Authorization": {value}}})
		if (token == "") != (err != nil) {
			t.Fatalf("tokenOf(%q) = %q, %v: want a token or an error", value, token, err)
		}
		if err != nil && len(value) > 30 && strings.Contains(err.Error(), value) {
			t.Errorf("tokenOf(%q): the error repeats it: %v", value, err)
		}
		bearer, err := tokenOf(&http.Request{Header: http.Header{"Proxy-Authorization": {"Bearer " + token}}})
		if token != "" && token == strings.TrimSpace(token) && (bearer != token || err != nil) {
			t.Errorf("tokenOf(Bearer %q) = %q, %v", token, bearer, err)
		}
	})
}

func TestChallengeLeavesTheConnectionOpen(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.originPlain("api.test", hello)
	w.run("tok", RunSpec{})
	for _, form := range []struct{ name, line string }{
		{"CONNECT", "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n"},
		{"a plain request", "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n"},
		{"a plain request with a body", "POST http://api.test/ HTTP/1.1\r\nHost: api.test\r\nContent-Length: 3\r\n"},
	} {
		body := ""
		if strings.HasPrefix(form.line, "POST") {
			body = "abc"
		}
		for _, first := range []struct{ name, header, text string }{
			{"without a token", "", "Proxy-Authorization is missing"},
			{"with a token that no run has", "Proxy-Authorization: Bearer other\r\n", "no run has this proxy token"},
			{"with malformed Basic", "Proxy-Authorization: Basic !!\r\n", "no token that can be read"},
		} {
			t.Run(form.name+" "+first.name, func(t *testing.T) {
				c := w.dial()
				c.TB = t
				res := c.ask("%s%s\r\n%s", form.line, first.header, body)
				res.want(t, http.StatusProxyAuthRequired, first.text)
				if got := res.Header.Get("Proxy-Authenticate"); got != `Basic realm="moat"` {
					t.Errorf("Proxy-Authenticate = %q, want Basic", got)
				}
				if !strings.Contains(res.text, res.Header.Get("X-Moat-Request-Id")) {
					t.Errorf("body %q is without the request id %q", res.text, res.Header.Get("X-Moat-Request-Id"))
				}
				method, _, _ := strings.Cut(form.line, " ")
				c.send("%sProxy-Authorization: %s\r\n\r\n%s", form.line, basic, body)
				if res := c.response(method); res.StatusCode != http.StatusOK {
					t.Errorf("the same connection, with the token: %s, want 200", res.Status)
				}
			})
		}
	}
}

func TestRunsIsNeverAskedForNoToken(t *testing.T) {
	w := newWorld(t)
	w.run("", RunSpec{}) // a registry that matches what is empty
	w.dial().ask("GET http://api.test/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic bW9hdDo=\r\n\r\n").
		want(t, http.StatusProxyAuthRequired, "no token that can be read")
}
