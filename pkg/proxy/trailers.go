package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
)

// passTrailers lets the trailers that the client announced follow the body.
// net/http sets their values on the request that it read, when its body ends;
// the one that goes out is a copy.
func passTrailers(pr *httputil.ProxyRequest) {
	if len(pr.Out.Trailer) == 0 || pr.Out.Body == nil {
		return
	}
	ex := exchangeOf(pr.In)
	ex.verdict.Rules.Trailer(pr.Out.Trailer)
	pr.Out.Body = &trailerBody{ReadCloser: pr.Out.Body, from: pr.In, to: pr.Out.Trailer}
}

// trailerBody is a body whose end brings trailers.
type trailerBody struct {
	io.ReadCloser
	from *http.Request
	to   http.Header // has the keys that may pass
}

// Read implements [io.Reader].
func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		for name := range b.to {
			b.to[name] = b.from.Trailer[name]
		}
	}
	return n, err
}
