package aws

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/credential"
)

// Options are what the roles of all runs have in common. The zero value of each
// is useful.
type Options struct {
	// Secret returns the secret of the grant "aws", see [ParseKeys], and "" if
	// there is none; nil means that there never is.
	Secret func(ctx context.Context) (credential.Secret, error)
	// Seen is told the secrets in it, so that a log can leave them out.
	Seen func(secret string)
	// Roots verify AWS; nil means those of the system.
	Roots *x509.CertPool
	// Endpoint is the URL of STS; "" means that of the role's region.
	Endpoint string
	// ConfigFile and CredentialsFile are the user's AWS files; "" means those
	// in ~/.aws.
	ConfigFile, CredentialsFile string
	// Log gets a line each time that a role is assumed; nil means none.
	Log *logrus.Entry
}

// Credentials are those of a role, in the form that credential_process of the
// AWS tools reads.
type Credentials struct {
	Version         int    // always 1
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string // secret
	SessionToken    string // secret
	Expiration      time.Time
}

// String implements [fmt.Stringer]; it leaves the secrets out.
func (c Credentials) String() string { return c.AccessKeyID + " [secret]" }

// GoString implements [fmt.GoStringer]; it leaves the secrets out.
func (c Credentials) GoString() string { return c.String() }

const (
	// early is how long before their end credentials are no longer given out.
	early = 5 * time.Minute
	// errorPause is how long an error stands before AWS is asked again.
	errorPause = time.Second
)

// A Provider has the credentials of one role. It is safe for concurrent use: of
// many callers that need new ones, one asks AWS, and the others get what it got.
type Provider struct {
	role   Role
	opts   Options
	source func(context.Context) (source, error)
	assume func(context.Context, source) (Credentials, error)

	turn chan struct{} // has room for the one who may touch what follows
	have answer        // the last one of AWS
}

// An answer is what came of asking AWS.
type answer struct {
	from  [sha256.Size]byte // id of the source that it was asked with
	creds Credentials
	err   error
	until time.Time // until when it stands; zero before the first
}

// New returns a provider for role, which must be one that Check finds no fault
// with; it asks nobody anything yet.
func New(role Role, opts Options) (*Provider, error) {
	if err := role.Check(); err != nil {
		return nil, err
	}
	client := opts.stsClient(role)
	return &Provider{
		role: role, opts: opts, turn: make(chan struct{}, 1),
		source: func(ctx context.Context) (source, error) { return opts.source(ctx, role) },
		assume: func(ctx context.Context, src source) (Credentials, error) { return assume(ctx, client, role, src) },
	}, nil
}

// Credentials returns credentials that are good for five minutes at least, as
// long as AWS gives such. They are kept while what they were assumed with stays
// the same; an error is kept for a second. The error is an [Error], or that of
// ctx, which ends the wait for another caller's attempt too.
func (p *Provider) Credentials(ctx context.Context) (Credentials, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	}
	src, err := p.source(ctx)
	if err != nil {
		return Credentials{}, err
	}
	if p.have.from == src.id && time.Now().Before(p.have.until) {
		return p.have.creds, p.have.err
	}
	asked := time.Now()
	creds, err := p.assume(ctx, src)
	if ctx.Err() != nil && err != nil {
		return Credentials{}, ctx.Err() // which says nothing of the role
	}
	p.have = answer{from: src.id, creds: creds, err: err, until: p.until(asked, creds, err)}
	p.log(creds, err)
	return creds, err
}

// until returns how long an answer stands that was asked for at that time. The
// clock of this machine may be wrong, so that the end that AWS names is too late
// by it; a session does not last longer than it was asked to.
func (p *Provider) until(asked time.Time, creds Credentials, err error) time.Time {
	if err != nil {
		return time.Now().Add(errorPause)
	}
	end := asked.Add(p.role.duration())
	if creds.Expiration.Before(end) {
		end = creds.Expiration
	}
	return end.Add(-early)
}

func (p *Provider) log(creds Credentials, err error) {
	if p.opts.Log == nil {
		return
	}
	line := p.opts.Log.WithField("role", p.role.ARN)
	if err != nil {
		line.Warn("AWS role not assumed: " + err.Error())
		return
	}
	line.WithField("expires", creds.Expiration.Format(time.RFC3339)).Info("AWS role assumed")
}
