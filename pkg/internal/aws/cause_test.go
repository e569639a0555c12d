package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// said is an error of AWS.
type said struct{ code, message string }

func (s said) Error() string        { return "operation error STS: AssumeRole, https response error" }
func (s said) ErrorCode() string    { return s.code }
func (s said) ErrorMessage() string { return s.message }

func TestCause(t *testing.T) {
	for _, tt := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"what AWS says, without what the SDK adds", fmt.Errorf("STS: %w", said{"AccessDenied", "no"}), "AccessDenied", "AccessDenied: no"},
		{"an error of AWS without a code", said{"", "no"}, codeFailed, "operation error STS: AssumeRole, https response error"},
		{"no answer in time", fmt.Errorf("STS: %w", context.DeadlineExceeded), codeTimeout, "AWS did not answer in time"},
		{
			"a name that cannot be looked up", fmt.Errorf("STS: %w", &net.DNSError{Name: "sts.x.amazonaws.com", Err: "no such host"}), codeFailed,
			"the name sts.x.amazonaws.com could not be looked up: no such host",
		},
		{"secrets", errors.New("key hidden1, token hidden2, and hidden1 again"), codeFailed, "key [secret], token [secret], and [secret] again"},
		{"control characters", errors.New("a\x1b[31m\tb\nc"), codeFailed, "a [31m b"},
		{"bytes that are no text", errors.New("a\xffb"), codeFailed, "a?b"},
		{"more than anybody reads", errors.New(strings.Repeat("x", 10000)), codeFailed, strings.Repeat("x", maxText)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := cause(t.Context(), validRole(), codeFailed, source{hide: []string{"hidden1", "hidden2", ""}}, tt.err)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != tt.code || e.Text != tt.text || e.Role != validRole().ARN {
				t.Errorf("cause(%v) = %#v, want %s: %s", tt.err, err, tt.code, tt.text)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cause(ctx, validRole(), codeFailed, source{}, said{"AccessDenied", "no"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cause of a client that went = %v, want that", err)
	}
}

func ExampleSessionName() {
	fmt.Println(SessionName("run_7f3a"))
	fmt.Println(SessionName("my run/2"))
	// Output:
	// moat-run_7f3a
	// moat-my-run-2
}
