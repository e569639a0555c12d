package proxy

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/moatd/moatd/pkg/internal/framing"
	"github.com/moatd/moatd/pkg/internal/mitm"
)

// servePlain serves what comes straight to the proxy's port.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		p.connect(w, r)
		return
	}
	if !p.direct(w, r) {
		p.serve(w, r, nil)
	}
}

// serveTunnelled serves what comes out of a tunnel.
func (p *Proxy) serveTunnelled(w http.ResponseWriter, r *http.Request) {
	p.serve(w, r, mitm.From(r.Context()))
}

// who returns the run that a request is of. If there is none it answers the
// request itself. A token comes with each request, or with its tunnel t.
func (p *Proxy) who(w http.ResponseWriter, r *http.Request, t *mitm.Tunnel) (run *RunContextData, token string, ok bool) {
	token, err := tokenOf(r)
	if t != nil {
		token, err = t.Token, nil
	}
	if err == nil {
		if run, ok = p.opts.Runs(token); ok {
			return run, token, true
		}
		err = errUnknownToken
	}
	f := challenge(err)
	p.opts.Log.WithField("request_id", f.id).Debug("request without a run: " + err.Error())
	f.write(w, r)
	return nil, "", false
}

// connect opens a tunnel. A target that the run may not reach gets one too,
// for the refusal to be readable inside; nothing is dialled for it.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	run, token, ok := p.who(w, r, nil)
	if !ok {
		return
	}
	ex := newExchange(run, r)
	target, err := connectTarget(r)
	ex.head = Head{Scheme: "https", Target: target}
	if err != nil {
		ex.refuse(malformed(err)).write(w, r)
		ex.log(p.opts.Log)
		return
	}
	if v := run.Decide(ex.head); v.Status != 0 && p.opts.RefuseAtConnect {
		ex.refuse(v.outsideTunnel(r)).write(w, r)
		ex.log(p.opts.Log)
		return
	}
	conn, early, err := accept(w)
	if err != nil {
		return // the client is gone
	}
	p.tunnels.Take(conn, &mitm.Tunnel{Target: target, Token: token}, early)
}

// accept grants a CONNECT and returns its connection, and what the client sent
// ahead of the answer.
func accept(w http.ResponseWriter) (net.Conn, io.Reader, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close() // the error of the write says more
		return nil, nil, err
	}
	return conn, io.LimitReader(buffered.Reader, int64(buffered.Reader.Buffered())), nil
}

// serve answers one request, whichever way it came: t is its tunnel, nil for
// none.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, t *mitm.Tunnel) {
	looked := time.Now()
	run, token, ok := p.who(w, r, t)
	if !ok {
		return
	}
	ex := newExchange(run, r)
	ex.token, ex.looked = token, looked
	p.exchanges.Add(ex)
	defer p.exchanges.Remove(ex)
	defer ex.log(p.opts.Log)
	head, err := headOf(r, t)
	ex.head = head
	if wrong := framing.Check(r.Context()); wrong != nil {
		err = wrong
		w.Header().Set("Connection", "close") // nobody knows where the next request begins
	}
	if err != nil {
		ex.refuse(malformed(err)).write(w, r)
		return
	}
	p.decide(ex, r)
	if ex.verdict.Status == 0 && p.opts.Renewals.Fresh(r.Context(), ex.grants) {
		p.decideAnew(ex, r)
	}
	switch {
	case ex.verdict.Status == 0:
		p.pass(w, r, ex)
	case t == nil:
		ex.refuse(ex.verdict.outsideTunnel(r)).write(w, r)
	default:
		ex.refuse(ex.verdict).write(w, r)
	}
}

// pass has the request answered by its upstream, at the second attempt if the
// first one has shown that the credential is to be renewed.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, ex *exchange) {
	out := r.WithContext(withExchange(r.Context(), ex))
	ex.upload = watch(w, out)
	ex.guard = guarded(out, ex.token)
	ex.body = p.replayable(ex, out)
	w = duplex(w, r)
	p.forward.ServeHTTP(hints{w, ex.verdict.Rules}, out)
	if !ex.again {
		return
	}
	p.decideAnew(ex, r)
	if ex.verdict.Status != 0 {
		ex.refuse(ex.verdict).write(w, r)
		return
	}
	out.Body = ex.body.again()
	p.forward.ServeHTTP(hints{w, ex.verdict.Rules}, out)
}
