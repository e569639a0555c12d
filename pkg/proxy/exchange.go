package proxy

import (
	"context"
	"net/http"
	"time"
)

// An exchange is one request and its answer, as far as it has got. It belongs
// to the goroutine that serves the request.
type exchange struct {
	id      string
	run     *RunContextData
	method  string
	start   time.Time
	head    Head
	verdict Verdict
	status  int     // of the answer; 0 while there is none
	failed  bool    // the upstream did not answer
	upload  *upload // nil without a body
	guard   *guard  // nil without a body

	token  string    // of the run
	looked time.Time // before run was looked up
	grants []string  // whose credentials go out
	body   *replay   // of a request that could be sent again; nil if it cannot be
	again  bool      // it was sent again, or is about to be
}

func newExchange(run *RunContextData, r *http.Request) *exchange {
	return &exchange{id: newID(), run: run, method: r.Method, start: time.Now()}
}

type exchangeKey struct{}

func withExchange(ctx context.Context, ex *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, ex)
}

func exchangeOf(r *http.Request) *exchange {
	ex, _ := r.Context().Value(exchangeKey{}).(*exchange) // set for every request that is forwarded
	return ex
}

// refuse notes that a refusal with verdict v is the answer, and returns it.
func (ex *exchange) refuse(v Verdict) refusal {
	ex.status, ex.verdict = v.Status, v
	return refusal{id: ex.id, verdict: v}
}
