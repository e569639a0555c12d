package inject

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Transformer changes an answer on its way to the agent. It returns the answer
// to use, which may be the one that it was given, and nil to leave it as it was.
// An error means that the agent must not see the answer. The request is the one
// that went out, with its secrets; its body is gone.
type Transformer func(*http.Request, *http.Response) (*http.Response, error)

// The kinds of built-in transformers.
const (
	OAuthWorkaround = "oauth-endpoint-workaround"
	Scrub           = "response-scrub"
)

var kinds = []string{OAuthWorkaround, Scrub}

// checkKinds says which kind is not known.
func (r *Rules) checkKinds() error {
	for _, kind := range r.Kinds {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("response transformer %.60q is not known: write %s", kind, strings.Join(kinds, " or "))
		}
	}
	return nil
}

// An AnswerError says why an answer must not reach the agent.
type AnswerError struct {
	Reason string // for machines: "scrub" or "transform"
	Text   string // for people, without secrets
}

// Error implements [error].
func (e *AnswerError) Error() string { return e.Text }

// Response changes the answer in place: first the workaround, then the
// transformers in their order, each with what the one before it made, then the
// scrubbing, so that nothing can bring a secret back. An error is an
// [*AnswerError]; the body of res is then still to be closed.
func (r *Rules) Response(res *http.Response) error {
	if r == nil {
		return nil
	}
	if slices.Contains(r.Kinds, OAuthWorkaround) {
		workAround(res)
	}
	for _, t := range r.Respond {
		if err := transform(t, res); err != nil {
			return &AnswerError{Reason: "transform", Text: err.Error()}
		}
	}
	if !r.Scrubs() {
		return nil
	}
	if err := r.scrub(res); err != nil {
		return &AnswerError{Reason: "scrub", Text: err.Error()}
	}
	return nil
}

// Scrubs reports whether the secrets are taken out of answers.
func (r *Rules) Scrubs() bool { return r != nil && slices.Contains(r.Kinds, Scrub) }
