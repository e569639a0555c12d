package daemon

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkRegisterP99 registers a run durably, over the socket, in a daemon
// that has others already, and reports the slowest of a hundred.
func BenchmarkRegisterP99(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint("beside ", n), func(b *testing.B) {
			r := newGranted()
			p := NewStorePersister(openStore(b, b.TempDir()), newSealer(b), r)
			fill(r, n)
			if err := p.Save(); err != nil {
				b.Fatal(err)
			}
			_, c := serve(b, Options{Registry: r, Persister: p})
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				res, err := c.RegisterRun(b.Context(), RegisterRequest{RunID: "new", Grants: []string{"github"}})
				took = append(took, time.Since(begin))
				if err == nil {
					err = c.UnregisterRun(b.Context(), res.AuthToken)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
			b.ReportMetric(0, "ns/op") // would count the clean-up
		})
	}
}

// BenchmarkCheck asks about the containers of a thousand runs.
func BenchmarkCheck(b *testing.B) {
	r := newGranted()
	for _, token := range fill(r, 1000) {
		r.UpdateContainerID(token, "c"+token[:12])
	}
	lc := NewLivenessChecker(r, new(dock))
	for b.Loop() {
		lc.CheckOnce(b.Context())
	}
}
