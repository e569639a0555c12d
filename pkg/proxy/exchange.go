package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/hosts"
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
	status  int // of the answer; 0 while there is none
}

type exchangeKey struct{}

func withExchange(ctx context.Context, ex *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, ex)
}

func exchangeOf(r *http.Request) *exchange {
	ex, _ := r.Context().Value(exchangeKey{}).(*exchange) // set for every request that is forwarded
	return ex
}

// refuse notes that f is the answer, and returns it.
func (ex *exchange) refuse(f refusal) refusal {
	ex.status, ex.verdict = f.verdict.Status, f.verdict
	return f
}

// log writes the line of the request. Path and query stay out of it: an agent
// may have put a secret of its own there.
func (ex *exchange) log(lg *logrus.Logger) {
	fields := logrus.Fields{
		"run_id":      ex.run.runID,
		"request_id":  ex.id,
		"method":      ex.method,
		"host":        ex.head.Target.String(),
		"status":      ex.status,
		"rule":        ex.verdict.Rule,
		"duration_ms": time.Since(ex.start).Milliseconds(),
	}
	if grants := ex.verdict.Rules.Grants(); len(grants) > 0 {
		fields["grant"] = grants[0]
	}
	if ex.verdict.Reason != "" {
		fields["reason"] = ex.verdict.Reason
		lg.WithFields(fields).Warn("request refused")
		return
	}
	lg.WithFields(fields).Info("request")
}

// stray reports whether r, for target, carries a placeholder of another host
// where credentials stand.
func (d *RunContextData) stray(r *http.Request, target hosts.Host) bool {
	for _, g := range d.secrets {
		if g.host != target && g.host != target.WithoutPort() && g.sub.Found(r) {
			return true
		}
	}
	return false
}
