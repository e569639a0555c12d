package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// assumeTimeout bounds what it takes to have a role: reading the user's files,
// perhaps a sign-in with another service, and STS, three times at most.
const assumeTimeout = 45 * time.Second

// stsClient returns a client of STS. It lives as long as its role does, since it
// learns how wrong the clock of this machine is.
func (o Options) stsClient(role Role) *sts.Client {
	opts := sts.Options{Region: role.Region, HTTPClient: o.client(), Retryer: newRetryer()}
	if o.Endpoint != "" {
		opts.BaseEndpoint = &o.Endpoint
	}
	return sts.New(opts)
}

// assume asks STS for the credentials of the role. The error is an [Error], or
// that of ctx.
func assume(ctx context.Context, client *sts.Client, role Role, src source) (Credentials, error) {
	limited, cancel := context.WithTimeout(ctx, assumeTimeout)
	defer cancel()
	keys, err := src.load(limited)
	if err == nil {
		var value aws.Credentials
		value, err = keys.Retrieve(limited)
		src.hide = append(slices.Clip(src.hide), value.SecretAccessKey, value.SessionToken)
	}
	if err != nil {
		return Credentials{}, cause(ctx, role, codeSource, src, fmt.Errorf("no credentials to assume it with; run `moat grant aws`: %w", err))
	}
	seconds := int32(role.duration() / time.Second) //nolint:gosec // 43,200 at most
	in := &sts.AssumeRoleInput{RoleArn: &role.ARN, RoleSessionName: &role.Session, DurationSeconds: &seconds}
	if role.ExternalID != "" {
		in.ExternalId = &role.ExternalID
	}
	out, err := client.AssumeRole(limited, in, func(o *sts.Options) { o.Credentials = keys })
	if err != nil {
		return Credentials{}, cause(ctx, role, codeFailed, src, err)
	}
	return read(role, out)
}

// read takes the credentials out of the answer of STS.
func read(role Role, out *sts.AssumeRoleOutput) (Credentials, error) {
	c := out.Credentials
	if c == nil || c.Expiration == nil || aws.ToString(c.AccessKeyId) == "" ||
		aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "" {
		return Credentials{}, &Error{role.ARN, codeMalformed, "the answer of STS has no credentials in it"}
	}
	return Credentials{
		Version: 1, AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey,
		SessionToken: *c.SessionToken, Expiration: c.Expiration.UTC(),
	}, nil
}

// Codes of an [Error] that are not those of AWS.
const (
	codeSource    = "no_source_credentials"
	codeFailed    = "assume_role_failed"
	codeTimeout   = "timeout"
	codeMalformed = "malformed_answer"
)

// An Error says which role could not be assumed and why, without a secret.
type Error struct {
	Role string // its ARN
	Code string // that of AWS, such as AccessDenied, or one of ours
	Text string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("assume %s: %s", e.Role, e.Text) }

const (
	maxText   = 600 // bytes of the text of an Error
	minSecret = 4   // bytes; AWS gives no shorter ones, and masking them would leave no text
)

// cause makes an Error of what the SDK says. Where ctx, that of the client, has
// ended, its error is the cause.
func cause(ctx context.Context, role Role, code string, src source, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := err.Error()
	var said interface { // smithy.APIError
		ErrorCode() string
		ErrorMessage() string
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &said) && said.ErrorCode() != "":
		code, text = said.ErrorCode(), said.ErrorCode()+": "+said.ErrorMessage()
	case errors.Is(err, context.DeadlineExceeded):
		code, text = codeTimeout, "AWS did not answer in time"
	case errors.As(err, &dns):
		text = fmt.Sprintf("the name %s could not be looked up: %s", dns.Name, dns.Err)
	}
	return &Error{role.ARN, clean(code, src.hide), clean(text, src.hide)}
}

// clean returns text in one line, cut, and without the secrets: where a signature
// is wrong, AWS repeats what was signed, and a session token is a part of that.
func clean(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= minSecret {
			text = strings.ReplaceAll(text, s, "[secret]")
		}
	}
	text, _, _ = strings.Cut(text, "\n")
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	return text[:min(len(text), maxText)]
}
