package proxy

import (
	"fmt"
	"net/http"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/inject"
)

// Transformer changes an answer on its way to the agent.
type Transformer = inject.Transformer

// Adapt gives a transformer of the fixed API its types. One that panics, or that
// returns something else than an *http.Response, fails its request with a 502.
func Adapt(t credential.ResponseTransformer) Transformer {
	return func(req *http.Request, res *http.Response) (*http.Response, error) {
		out, changed := t(req, res)
		if !changed {
			return nil, nil
		}
		made, ok := out.(*http.Response)
		if !ok || made == nil {
			return nil, fmt.Errorf("a response transformer returned a %T, not an answer", out)
		}
		return made, nil
	}
}

// answered looks at the head of the upstream's answer, and does to it what the
// rules say. On an error the agent gets that instead.
func (p *Proxy) answered(r *http.Response) error {
	ex := exchangeOf(r.Request)
	if err := p.judged(ex, r); err != nil {
		return err
	}
	if err := ex.verdict.Rules.Response(r); err != nil {
		return err
	}
	ex.status = r.StatusCode
	relayOf(r.Request.Context()).returned(r)
	if len(r.Trailer) > 0 {
		r.Header.Del("Content-Length") // in HTTP/1.1 only chunks have trailers
	}
	if ex.upload != nil && r.ProtoMajor > 1 {
		r.Body = lastWord{r.Body, ex.upload}
	}
	return nil
}

// hints is a writer whose answers of the class 1xx are scrubbed, which
// ReverseProxy shows to nobody else. A 100 is not passed on: it is between two
// neighbours, and net/http sends ours when the body is first read, so that the
// upstream's would be a second one.
type hints struct {
	http.ResponseWriter
	rules *HostRules
}

// Unwrap is for [http.ResponseController].
func (h hints) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (h hints) WriteHeader(status int) {
	if status == http.StatusContinue {
		return
	}
	if status < 200 && h.rules.Scrubs() {
		h.rules.ScrubHeader(h.Header())
	}
	h.ResponseWriter.WriteHeader(status)
}
