package proxy

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// TestLineOfARequest checks what is in a line, and that nothing else is.
func TestLineOfARequest(t *testing.T) {
	w := newWorld(t)
	w.origin("api.test", hello)
	w.run("tok", RunSpec{RunID: "run_7f3a", Policy: Strict, Allow: []string{"free.test"}, Hosts: map[string]*HostRules{"api.test": bearer("s3cret")}})
	for _, tt := range []struct {
		name, url, message string
		want               logrus.Fields
	}{
		{"that went out", "https://API.test/private?token=hush-hush", "request", logrus.Fields{
			"run_id": "run_7f3a", "method": "GET", "host": "api.test:443", "status": 200, "rule": "grant g", "grant": "g",
		}},
		{"that was refused", "https://other.test/private?token=hush-hush", "request refused", logrus.Fields{
			"run_id": "run_7f3a", "method": "GET", "host": "other.test:443", "status": 403, "rule": "policy strict", "reason": "network-policy",
		}},
		{"that was refused on the plain way", "http://other.test/private?token=hush-hush", "request refused", logrus.Fields{
			"run_id": "run_7f3a", "method": "GET", "host": "other.test:80", "status": 407, "rule": "policy strict", "reason": "network-policy",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := get(t, w.client(), tt.url, "Authorization", "mine")
			line := w.line()
			id, _ := line.Data["request_id"].(string)
			if refused := res.StatusCode != http.StatusOK; refused && id != res.Header.Get("X-Moat-Request-Id") {
				t.Errorf("request_id = %q, in the answer %q", id, res.Header.Get("X-Moat-Request-Id"))
			}
			if !regexp.MustCompile(`^req_[0-9a-f]{16}$`).MatchString(id) {
				t.Errorf("request_id = %q", id)
			}
			text, err := line.String()
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"private", "hush-hush", "s3cret", "mine", "tok"} {
				if strings.Contains(text, secret) {
					t.Errorf("the line %q contains %q", text, secret)
				}
			}
			got := line.Data
			delete(got, "request_id")
			delete(got, "duration_ms")
			if diff := cmp.Diff(tt.want, got); diff != "" || line.Message != tt.message {
				t.Errorf("%q, fields (-want +got):\n%s", line.Message, diff)
			}
		})
	}
	if n := len(w.lines); n != 0 {
		t.Errorf("%d lines more than requests: %v", n, (<-w.lines).Message)
	}
}

func TestLineOfARequestThatItsClientEnded(t *testing.T) {
	started := make(chan struct{}, 1)
	w := newWorld(t)
	w.origin("api.test", func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	})
	w.run("tok", RunSpec{})
	c := w.client()
	go func() {
		<-started
		c.CloseIdleConnections()
	}()
	c.Timeout = 200 * time.Millisecond
	if res, err := c.Get("https://api.test/"); err == nil {
		_ = res.Body.Close()
		t.Fatalf("GET = %s, want it to end", res.Status)
	}
	if line := w.line(); line.Data["reason"] != reasonCanceled || line.Level != logrus.InfoLevel {
		t.Errorf("log line = %s %q %v", line.Level, line.Message, line.Data)
	}
}
