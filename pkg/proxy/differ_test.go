package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// FuzzTheUpstreamReadsWhatWasDecided sends bytes into a tunnel to api.test. What
// comes to its origin must be requests for that host, each with the credential
// once, each framed in one way, and no more of them than were let through.
func FuzzTheUpstreamReadsWhatWasDecided(f *testing.F) {
	for _, table := range [][]attack{authorityAttacks(), framingAttacks(), credentialAttacks(), pathAttacks()} {
		for _, tt := range table {
			f.Add(tt.bytes())
		}
	}
	for _, tt := range authority {
		f.Add(tt.head + "\r\n" + tt.head + "\r\n")
	}
	a := newArena(f)
	go func() {
		for range a.lines { // nobody reads the log
		}
	}()
	f.Fuzz(func(t *testing.T, raw string) {
		a.TB = t // a target must not use that of the whole
		c := a.enter(t, "api.test:443", "")
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c.Conn, raw) // the proxy may have hung up
		if secure, ok := c.Conn.(*tls.Conn); ok {
			_ = secure.CloseWrite() // as above
		}
		answers, _ := io.ReadAll(c.in)
		_ = c.Close()
		passed := a.settled()
		for url, text := range a.take() {
			if url != "https://api.test:443" {
				t.Errorf("%s read %q", url, text)
				continue
			}
			for _, problem := range problems(text, passed) {
				t.Errorf("%s; the origin read %q, the client %q", problem, text, answers)
			}
		}
	})
}

// settled waits until no request is under way and the origins have read all that
// was sent to them, and returns how many requests were let through since it was
// last called.
func (a *arena) settled() (passed int) {
	for a.proxy.exchanges.Len() > 0 || a.origins.Len() > 0 {
		a.proxy.DropIdle()
		pause, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		a.origins.Wait(pause)
		cancel()
	}
	return int(a.passed.Swap(0))
}

// problems says what is wrong with the bytes that an origin read.
func problems(text string, passed int) (found []string) {
	in := bufio.NewReader(strings.NewReader(text))
	n := 0
	for ; ; n++ {
		if _, err := in.Peek(1); err != nil {
			break
		}
		req, err := http.ReadRequest(in)
		if err != nil {
			found = append(found, "not a request: "+err.Error())
			break
		}
		if h, err := hosts.Parse(req.Host); err != nil || h.WithoutPort().Name != "api.test" {
			found = append(found, "the request is for "+req.Host)
		}
		if got := req.Header["Authorization"]; !slices.Equal(got, []string{"Bearer real-api"}) {
			found = append(found, "the credentials are "+strings.Join(got, ", "))
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			break // it was cut off
		}
	}
	if n > passed {
		found = append(found, "more requests than were let through")
	}
	return found
}
