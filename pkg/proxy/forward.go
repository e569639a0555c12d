package proxy

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
)

// newForwarder returns the handler of requests that go out; each has its
// exchange in its context, and answered sees the head of each answer.
func newForwarder(upstream http.RoundTripper, answered func(*http.Response) error) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      upstream,
		FlushInterval:  -1, // agents stream: each piece goes out as it comes
		BufferPool:     new(buffers),
		ModifyResponse: answered,
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
	withoutHTTP(pr.Out.Header)
	ex.verdict.Rules.Request(pr.Out)
	passTrailers(pr)
}

func standardPort(h Head) bool {
	return h.Scheme == "https" && h.Target.Port == 443 || h.Scheme == "http" && h.Target.Port == 80
}
