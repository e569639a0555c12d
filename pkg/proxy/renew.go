package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// noRenewals are those of a proxy whose credentials stay as they are.
type noRenewals struct{}

func (noRenewals) Fresh(context.Context, []string) bool               { return false }
func (noRenewals) Renewable([]string) bool                            { return false }
func (noRenewals) Rejected(context.Context, []string, time.Time) bool { return false }
func (noRenewals) Used([]string, int)                                 {}

// errRejected ends the first attempt at a request that there is another one at.
var errRejected = errors.New("the credential was rejected, and there is a newer one")

// credentialHeader tells the agent that an answer of 401 is about a credential
// that it has never seen.
const credentialHeader = "X-Moat-Credential" //nolint:gosec // the name of a header

// decide judges a request by the snapshot of its exchange.
func (p *Proxy) decide(ex *exchange, r *http.Request) {
	ex.head.Placeholder = ex.run.stray(r, ex.head)
	ex.head.Token = carries(r, ex.head, ex.token)
	ex.verdict = ex.run.Decide(ex.head)
	ex.grants = ex.verdict.Rules.Grants()
}

// decideAnew judges it by the snapshot of now. A run that has ended meanwhile
// keeps the one that it had.
func (p *Proxy) decideAnew(ex *exchange, r *http.Request) {
	looked := time.Now()
	if run, ok := p.opts.Runs(ex.token); ok {
		ex.run, ex.looked = run, looked
		p.decide(ex, r)
	}
}

// judged looks at what an answer says of the credentials that were sent. It returns
// [errRejected] if the request is to be sent again, which happens once, with others.
func (p *Proxy) judged(ex *exchange, res *http.Response) error {
	if len(ex.grants) == 0 {
		return nil
	}
	if res.StatusCode != http.StatusUnauthorized {
		p.opts.Renewals.Used(ex.grants, res.StatusCode)
		return nil
	}
	newer := !ex.again && p.opts.Renewals.Rejected(res.Request.Context(), ex.grants, ex.looked)
	if newer && ex.body.whole() {
		ex.again = true
		return errRejected
	}
	p.opts.Renewals.Used(ex.grants, res.StatusCode)
	res.Header.Set(credentialHeader, "rejected")
	return nil
}

// maxReplay is the longest body that is kept to be sent again, in bytes.
const maxReplay = 64 << 10

// A replay is a body that is kept while it is sent. A nil one cannot be sent again.
type replay struct {
	io.ReadCloser

	mu   sync.Mutex
	kept []byte // guarded by mu
	over bool   // guarded by mu; all of it was read
	long bool   // guarded by mu; it is too long to be kept
}

// replayable has the body of r kept, if that may be of use.
func (p *Proxy) replayable(ex *exchange, r *http.Request) *replay {
	if !p.opts.Renewals.Renewable(ex.grants) || r.ContentLength > maxReplay || r.Header.Get("Upgrade") != "" {
		return nil
	}
	if r.Body == nil || r.ContentLength == 0 { // ReverseProxy reads none then
		return &replay{over: true}
	}
	b := &replay{ReadCloser: r.Body}
	r.Body = b
	return b
}

// Read implements [io.Reader].
func (b *replay) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.long = b.long || len(b.kept)+n > maxReplay; b.long {
		b.kept = nil
	} else {
		b.kept = append(b.kept, p[:n]...)
	}
	b.over = b.over || errors.Is(err, io.EOF)
	return n, err
}

// whole reports whether all of the body is there to be sent again.
func (b *replay) whole() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over && !b.long
}

// again returns the body once more.
func (b *replay) again() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ReadCloser == nil {
		return http.NoBody
	}
	return io.NopCloser(bytes.NewReader(b.kept))
}
