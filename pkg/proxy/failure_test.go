package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

func TestUpstreamFailures(t *testing.T) {
	w := newWorld(t)
	w.place("refused.test", 443, "127.0.0.1:1") // nobody listens there
	untrusted := w.origin("real.test", hello)
	w.place("liar.test", 443, untrusted.Listener.Addr().String())
	w.origin("closes.test", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	w.origin("babbles.test", func(w http.ResponseWriter, r *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 abc "+r.Header.Get("Authorization")+"\r\n\r\n")
			_ = conn.Close()
		}
	})
	rules := map[string]*HostRules{}
	for _, h := range []string{"gone", "refused", "liar", "closes", "babbles"} {
		rules[h+".test"] = bearer("s3cret")
	}
	w.run("tok", RunSpec{Hosts: rules})
	for _, tt := range []struct {
		name, host string
		status     int
		reason     string
		text       string
	}{
		{"a name that does not exist", "gone.test", 502, "dns", "the name gone.test could not be looked up: no such host"},
		{"a port where nobody listens", "refused.test", 502, "connect", "refused.test:443 cannot be reached"},
		{"a certificate of another host", "liar.test", 502, "tls", "the certificate of liar.test:443 is not to be trusted"},
		{"an upstream that closes the connection", "closes.test", 502, "upstream", "closes.test:443 did not answer: EOF"},
		{"an upstream that does not speak HTTP", "babbles.test", 502, "upstream", "babbles.test:443 did not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []*http.Client{w.client(), w.clientH2()} {
				res := get(t, c, "https://"+tt.host+"/path")
				res.want(t, tt.status, tt.text)
				if got := res.Header.Get("X-Moat-Error"); got != tt.reason || res.Header.Get("X-Moat-Blocked") != "" {
					t.Errorf("X-Moat-Error = %q, want %q", got, tt.reason)
				}
				if strings.Contains(res.text, "s3cret") || strings.Contains(res.text, "path") {
					t.Errorf("the answer %q shows more than it may", res.text)
				}
				line := w.line()
				if line.Message != "request failed" || line.Data["reason"] != tt.reason || line.Data["status"] != tt.status || line.Data["grant"] != "g" {
					t.Errorf("log line = %q %v", line.Message, line.Data)
				}
			}
		})
	}
}

func TestFailureOfATimeout(t *testing.T) {
	v := failure(hosts.Host{Name: "api.test", Port: 443}, &net.OpError{Op: "dial", Err: context.DeadlineExceeded})
	if v.Status != http.StatusGatewayTimeout || v.Reason != "timeout" {
		t.Errorf("failure = %+v, want 504", v)
	}
}

// TestAnswerBeforeTheBodyIsSent has an upstream that does not want the body.
func TestAnswerBeforeTheBodyIsSent(t *testing.T) {
	origin := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too large")
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			do(t, c, post(t, io.LimitReader(zeros{}, 16<<20))).want(t, http.StatusRequestEntityTooLarge, "too large")
			if line := w.line(); line.Data["status"] != http.StatusRequestEntityTooLarge {
				t.Errorf("log line = %v, want status 413", line.Data)
			}
			for range len(w.lines) {
				if e := <-w.lines; e.Level <= logrus.ErrorLevel {
					t.Errorf("the log has an error: %s", e.Message)
				}
			}
		})
	}
}

// TestAnswerBeforeTheBodyEnds has a client that sends nothing more before it has
// the whole of the answer, as those of HTTP/2 do after an error.
func TestAnswerBeforeTheBodyEnds(t *testing.T) {
	origin := func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // or HTTP/1.1 waits for the body first
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too large")
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			_, c := v.world(t, origin)
			r, w := io.Pipe()
			defer w.Close()
			go io.WriteString(w, "a beginning")
			do(t, c, post(t, r)).want(t, http.StatusRequestEntityTooLarge, "too large")
		})
	}
}

// TestAnswerThatBreaksOff checks that the client learns of it: an answer that
// only seems whole would be worse than none.
func TestAnswerThatBreaksOff(t *testing.T) {
	origin := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for _, v := range versions() {
		t.Run(v.name, func(t *testing.T) {
			w, c := v.world(t, origin)
			res, err := c.Get("https://api.test/")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err == nil || string(body) != "half" {
				t.Errorf("body = %q, %v, want half and an error", body, err)
			}
			w.line() // of the request
			for range len(w.lines) {
				if e := <-w.lines; e.Level <= logrus.ErrorLevel {
					t.Errorf("the log has an error: %s", e.Message)
				}
			}
		})
	}
}

func TestClientThatSendsItsHeadTooSlowly(t *testing.T) {
	w := prepare(t)
	w.proxy.plain.ReadHeaderTimeout = 20 * time.Millisecond
	w.start()
	c := w.dial()
	c.send("CONNECT api.test:443 HTTP/1.1\r\nHost:")
	c.ended()
}

func TestPanicsAreErrorsInTheLog(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Runs = func(string) (*RunContextData, bool) { panic("a bug") }
	})
	c := w.dial()
	c.send("GET http://api.test/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", basic)
	c.ended()
	if e := receive(t, "the line", w.lines); e.Level != logrus.ErrorLevel || !strings.Contains(e.Message, "a bug") {
		t.Errorf("log line = %s %q, want an error", e.Level, e.Message)
	}
}

func TestNewNeedsRunsAndCertificate(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("New(Options{}) = nil, want an error")
	}
	if _, err := New(Options{Runs: new(world).runOf, Certificate: nil}); err == nil {
		t.Error("New without Certificate = nil, want an error")
	}
}
