// Package doctor finds out what is wrong with moatd on this machine, and which
// command mends it. It looks: it changes nothing, and starts no daemon unless it
// is told to.
//
// What is found is put into values first (the fields of a scene, the arguments
// of a judge), and judged by pure functions, so that a table shows each verdict.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Status says how serious a verdict is.
type Status string

// The values of [Status].
const (
	OK   Status = "ok"
	Skip Status = "skip" // does not apply here, for the reason in the detail
	Warn Status = "warn" // works, but not as it should, or not for long
	Fail Status = "fail" // something that moatd promises does not work
)

// rank orders the statuses.
var rank = map[Status]int{Skip: 0, OK: 1, Warn: 2, Fail: 3}

// A Verdict is what a check came to.
type Verdict struct {
	Status Status    `json:"status"`
	Detail string    `json:"detail"`         // a line for people, without secrets
	Fix    string    `json:"fix,omitempty"`  // the command that mends it, "" if there is nothing to mend or no command does
	Since  time.Time `json:"since,omitzero"` // when it began, where that is known
}

// A Result is the verdict of a check.
type Result struct {
	Name  string `json:"name"`  // of the check; stays the same from version to version
	Topic string `json:"topic"` // what the check belongs to: "service", "state", …
	Verdict
}

// A Check looks at one thing.
type Check struct {
	Name  string
	Topic string
	Run   func(ctx context.Context) Verdict
}

// Run runs the checks at the same time and returns their results in the order of
// the checks. One that takes longer than limit has failed; it is not waited for,
// since a system call on a dead network file system may never return, so its
// goroutine may outlive Run.
func Run(ctx context.Context, checks []Check, limit time.Duration) []Result {
	verdicts := make([]chan Verdict, len(checks))
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for i, c := range checks {
		verdicts[i] = make(chan Verdict, 1)
		go func() { verdicts[i] <- c.Run(ctx) }()
	}
	results := make([]Result, len(checks))
	for i, c := range checks {
		results[i] = Result{c.Name, c.Topic, await(ctx, verdicts[i], limit)}
	}
	return results
}

// await returns the verdict of a check that ends in time, or soon after: one
// that notices the end of ctx says itself what it waited for.
func await(ctx context.Context, verdict <-chan Verdict, limit time.Duration) Verdict {
	select {
	case v := <-verdict:
		return v
	case <-ctx.Done():
	}
	select {
	case v := <-verdict:
		return v
	case <-time.After(limit / 10):
		return fail("", "the check does not end within %v: what it looks at hangs", limit)
	}
}

// Worst returns the most serious status among results, [OK] if there is none.
func Worst(results []Result) Status {
	worst := OK
	for _, r := range results {
		if rank[r.Status] > rank[worst] {
			worst = r.Status
		}
	}
	return worst
}

func ok(format string, args ...any) Verdict {
	return Verdict{Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) Verdict {
	return Verdict{Status: Skip, Detail: fmt.Sprintf(format, args...)}
}

func warn(fix, format string, args ...any) Verdict {
	return Verdict{Status: Warn, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func fail(fix, format string, args ...any) Verdict {
	return Verdict{Status: Fail, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func (v Verdict) since(t time.Time) Verdict {
	v.Since = t
	return v
}

// all joins verdicts about one thing: as serious as the most serious, with the
// details and the commands of those that are not in order. If all are, it is the
// first.
func all(verdicts ...Verdict) Verdict {
	var joined Verdict
	var details, fixes []string
	for _, v := range verdicts {
		if rank[v.Status] < rank[Warn] {
			continue
		}
		if rank[v.Status] > rank[joined.Status] {
			joined.Status = v.Status
		}
		if joined.Since.IsZero() {
			joined.Since = v.Since
		}
		details = append(details, v.Detail)
		if v.Fix != "" {
			fixes = append(fixes, v.Fix)
		}
	}
	if details == nil {
		return verdicts[0]
	}
	joined.Detail, joined.Fix = strings.Join(details, "; "), strings.Join(unique(fixes), " && ")
	return joined
}

// unique leaves out what was there before.
func unique(list []string) []string {
	seen := make(map[string]bool)
	var out []string
	for _, s := range list {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// plain are the characters of a word that a shell takes as it is.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,"

// quote writes a path so that a shell reads it as one word.
func quote(path string) string {
	if path != "" && strings.Trim(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
