package aws

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"github.com/moatd/moatd/pkg/credential"
)

// A source is where the keys come from that assume a role.
type source struct {
	id   [sha256.Size]byte // differs where what is assumed with does
	load func(context.Context) (aws.CredentialsProvider, error)
	hide []string // secrets that no error may repeat
}

// source returns the grant "aws" if it is stored, else the user's profile.
func (o Options) source(ctx context.Context, role Role) (source, error) {
	secret, err := o.stored(ctx)
	if err != nil {
		return source{}, &Error{role.ARN, codeSource, err.Error()}
	}
	if secret == "" {
		return o.profile(role), nil
	}
	keys, err := ParseKeys(secret)
	if err != nil {
		return source{}, &Error{role.ARN, codeSource, err.Error()}
	}
	id, key, token := keys.AccessKeyID, keys.SecretAccessKey.Reveal(), keys.SessionToken.Reveal()
	o.seen(key)
	o.seen(token)
	return source{
		id:   sha256.Sum256([]byte(secret)),
		hide: []string{key, token},
		load: func(context.Context) (aws.CredentialsProvider, error) {
			return credentials.NewStaticCredentialsProvider(id, key, token), nil
		},
	}, nil
}

func (o Options) stored(ctx context.Context) (credential.Secret, error) {
	if o.Secret == nil {
		return "", nil
	}
	return o.Secret(ctx)
}

func (o Options) seen(secret string) {
	if o.Seen != nil && secret != "" {
		o.Seen(secret)
	}
}

// profile is the source of the user's own AWS files, which are read each time:
// they may have changed. The metadata service of EC2 is never asked.
func (o Options) profile(role Role) source {
	name := role.SourceProfile
	if name == "" {
		name = "default"
	}
	fns := []func(*config.LoadOptions) error{
		config.WithSharedConfigProfile(name),
		config.WithRegion(role.Region),
		config.WithHTTPClient(o.client()),
		config.WithRetryer(newRetryer),
		config.WithEC2IMDSClientEnableState(imds.ClientDisabled),
	}
	if o.ConfigFile != "" {
		fns = append(fns, config.WithSharedConfigFiles([]string{o.ConfigFile}))
	}
	if o.CredentialsFile != "" {
		fns = append(fns, config.WithSharedCredentialsFiles([]string{o.CredentialsFile}))
	}
	if o.Endpoint != "" {
		fns = append(fns, config.WithBaseEndpoint(o.Endpoint))
	}
	return source{
		id: sha256.Sum256([]byte("profile " + name)),
		load: func(ctx context.Context) (aws.CredentialsProvider, error) {
			cfg, err := config.LoadDefaultConfig(ctx, fns...)
			return cfg.Credentials, err
		},
	}
}

const (
	requestTimeout = 10 * time.Second // for one request to AWS
	maxAttempts    = 3
	maxBackoff     = time.Second // between two attempts
)

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = maxAttempts, maxBackoff
	})
}

// client returns an HTTP client that goes straight to AWS and trusts the roots.
func (o Options) client() aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTimeout(requestTimeout).WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy = nil
		tr.TLSClientConfig = &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	})
}
