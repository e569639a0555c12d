package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// renewals are those of a world: they renew what is rejected, if they may.
type renewals struct {
	w     *world
	fresh string // the secret that a request waits for; "" for none
	next  string // the secret that follows a rejected one; "" if there is none

	mu       sync.Mutex
	rejected int   // guarded by mu
	statuses []int // guarded by mu
}

func (r *renewals) give(secret string) {
	r.w.run("tok", RunSpec{RunID: "r", Hosts: map[string]*HostRules{"api.example.com": bearer(secret)}})
}

func (r *renewals) Fresh(context.Context, []string) bool {
	if r.fresh == "" {
		return false
	}
	r.give(r.fresh)
	return true
}

func (r *renewals) Renewable([]string) bool { return true }

func (r *renewals) Rejected(context.Context, []string, time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rejected++; r.next == "" {
		return false
	}
	r.give(r.next)
	return true
}

func (r *renewals) Used(_ []string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses = append(r.statuses, status)
}

func TestA401RenewsOnceAndIsTriedOnceMore(t *testing.T) {
	text := func(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }
	chunks := func(s string) func() io.Reader {
		return func() io.Reader { return io.MultiReader(strings.NewReader(s)) }
	}
	none := func() io.Reader { return nil }
	long := strings.Repeat("x", maxReplay+1)
	for _, tt := range []struct {
		name        string
		fresh, next string
		body        func() io.Reader
		status      int
		want        string // of the body that the agent gets
		header      string // X-Moat-Credential
		attempts    int    // that the upstream has seen
		rejected    int    // 401s of which the daemon was told
	}{
		{"a good secret goes out once", "good", "", none, 200, "", "", 1, 0},
		{"a request without a body is sent again", "", "good", none, 200, "", "", 2, 1},
		{"a short body is sent again whole", "", "good", text("hello"), 200, "hello", "", 2, 1},
		{"so is one in chunks", "", "good", chunks("hello"), 200, "hello", "", 2, 1},
		{"a long one is not", "", "good", text(long), 401, "no", "rejected", 1, 1},
		{"nor is a long one in chunks", "", "good", chunks(long), 401, "no", "rejected", 1, 1},
		{"nothing is, without a newer secret", "", "", none, 401, "no", "rejected", 1, 1},
		{"and never twice", "", "bad as well", text("hello"), 401, "no", "rejected", 2, 1},
	} {
		for _, h2 := range []bool{false, true} {
			name := tt.name + " over HTTP/1.1"
			if h2 {
				name = tt.name + " over HTTP/2"
			}
			t.Run(name, func(t *testing.T) {
				r := &renewals{fresh: tt.fresh, next: tt.next}
				r.w = newWorld(t, func(o *Options) { o.Renewals = r })
				attempts := 0
				r.w.origin("api.example.com", func(w http.ResponseWriter, req *http.Request) {
					attempts++
					body, _ := io.ReadAll(req.Body)
					if req.Header.Get("Authorization") != "Bearer good" {
						w.WriteHeader(http.StatusUnauthorized)
						body = []byte("no")
					}
					w.Write(body)
				})
				r.give("bad")
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.example.com/", tt.body())
				if err != nil {
					t.Fatal(err)
				}
				res, err := r.w.clientOf(h2).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, _ := io.ReadAll(res.Body)
				if res.StatusCode != tt.status || string(got) != tt.want || res.Header.Get(credentialHeader) != tt.header {
					t.Errorf("got %d %.20q %q, want %d %q %q", res.StatusCode, got, res.Header.Get(credentialHeader), tt.status, tt.want, tt.header)
				}
				if attempts != tt.attempts || r.rejected != tt.rejected {
					t.Errorf("%d attempts, %d rejected; want %d, %d", attempts, r.rejected, tt.attempts, tt.rejected)
				}
				if len(r.statuses) != 1 || r.statuses[0] != tt.status {
					t.Errorf("noted: %v, want %d", r.statuses, tt.status)
				}
			})
		}
	}
}
