package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// pools are the two pools of upstream connections. They are apart because a
// connection to a special-purpose address must not serve a run that may not
// reach it.
type pools struct{ public, special *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (p pools) RoundTrip(r *http.Request) (*http.Response, error) {
	if exchangeOf(r).verdict.Special {
		return p.special.RoundTrip(r)
	}
	return p.public.RoundTrip(r)
}

func newForwarder(roots *x509.CertPool) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      pools{newTransport(newDialer(false), roots), newTransport(newDialer(true), roots)},
		FlushInterval:  -1, // agents stream: each piece goes out as it comes
		BufferPool:     new(buffers),
		ModifyResponse: func(r *http.Response) error { exchangeOf(r.Request).status = r.StatusCode; return nil },
		ErrorHandler:   upstreamFailed,
		ErrorLog:       log.New(io.Discard, "", 0), // what it says is in the line of the request
	}
}

// rewrite makes the request for the upstream; hop-by-hop headers are gone from
// it already, so that "Connection: Authorization" removes nothing of ours.
func rewrite(pr *httputil.ProxyRequest) {
	ex := exchangeOf(pr.In)
	target := ex.head.Target
	if standardPort(ex.head) {
		target = target.WithoutPort()
	}
	pr.Out.URL.Scheme, pr.Out.URL.Host = ex.head.Scheme, target.String()
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as the agent wrote it
	if pr.In.Host != ex.head.Target.String() {
		pr.Out.Host = target.String() // what was decided is what the upstream reads
	}
	ex.verdict.Rules.Request(pr.Out)
}

func standardPort(h Head) bool {
	return h.Scheme == "https" && h.Target.Port == 443 || h.Scheme == "http" && h.Target.Port == 80
}

// upstreamFailed answers a request whose upstream did not.
func upstreamFailed(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchangeOf(r)
	f := refusal{id: ex.id, verdict: failure(ex.head.Target, err)}
	f.verdict.Rule = ex.verdict.Rule
	if f.verdict.Reason != reasonAddress {
		f.header = "X-Moat-Error"
	}
	ex.refuse(f).write(w, r)
}

// failure says what went wrong on the way to the upstream.
func failure(target hosts.Host, err error) Verdict {
	v := Verdict{Status: http.StatusBadGateway, Reason: "upstream", Text: fmt.Sprintf("%s did not answer: %v", target, err)}
	var (
		addr     *errAddress
		dns      *net.DNSError
		op       *net.OpError
		verify   *tls.CertificateVerificationError
		timedOut net.Error
	)
	switch {
	case errors.As(err, &addr):
		v.Status, v.Reason, v.Text = http.StatusForbidden, reasonAddress, addr.Error()
		if addr.class != hosts.ClassMetadata {
			v.Hint = fmt.Sprintf("name the host without a wildcard: moat run --allow %s", target)
		}
	case errors.Is(err, context.Canceled):
		v.Reason, v.Text = "canceled", "the client went away"
	case errors.As(err, &dns):
		v.Reason, v.Text = "dns", fmt.Sprintf("the name %s was not found: %s", dns.Name, dns.Err)
	case errors.As(err, &verify):
		v.Reason, v.Text = "tls", fmt.Sprintf("the certificate of %s is not to be trusted: %v", target, verify.Err)
		v.Hint = "for a private CA, set upstream_ca in config.yaml"
	case errors.As(err, &timedOut) && timedOut.Timeout():
		v.Status, v.Reason, v.Text = http.StatusGatewayTimeout, "timeout", fmt.Sprintf("%s did not answer in time", target)
	case errors.As(err, &op) && op.Op == "dial":
		v.Reason, v.Text = "connect", fmt.Sprintf("%s cannot be reached: %v", target, err)
	}
	return v
}

func malformed(id string, err error) refusal {
	return refusal{id: id, verdict: Verdict{
		Status: http.StatusBadRequest, Reason: reasonMalformed, Rule: "syntax", Text: err.Error(),
	}}
}

// writePlain answers a request that is not in a tunnel: clients show a 407 of
// their proxy, and would take a 403 for the upstream's.
func (f refusal) writePlain(w http.ResponseWriter, r *http.Request) {
	if f.verdict.Reason == reasonPolicy || r.Method == http.MethodConnect {
		f.verdict.Status = http.StatusProxyAuthRequired
		w.Header().Set("Proxy-Authenticate", "Moat-Policy")
	}
	f.write(w, r)
}

// buffers lends out the buffers of bodies on their way.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10 // bytes; as io.Copy takes

// Get implements [httputil.BufferPool].
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buf[:]
	}
	return make([]byte, bufferSize)
}

// Put implements [httputil.BufferPool].
func (b *buffers) Put(buf []byte) {
	if len(buf) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(buf))
	}
}

// connectionLog is where net/http tells of broken handshakes and the like,
// which clients cause all the time.
func connectionLog(lg *logrus.Logger) *log.Logger {
	return log.New(lineWriter{lg}, "", 0)
}

type lineWriter struct{ log *logrus.Logger }

func (w lineWriter) Write(line []byte) (int, error) {
	w.log.Debug(string(line))
	return len(line), nil
}
