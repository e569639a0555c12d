package moatd

import (
	"context"
	"errors"
	"net/http"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/aws"
	"github.com/moatd/moatd/pkg/internal/grants"
)

// grantAWS is the grant whose keys assume the roles of runs.
const grantAWS = "aws"

// assumeRole returns the handler of the credentials of a run's AWS role.
func (d *parts) assumeRole(runID string, c daemon.AWSConfig) (http.Handler, error) {
	return aws.New(aws.Role{
		ARN: c.RoleARN, Region: c.Region, Duration: c.SessionDuration, ExternalID: c.ExternalID,
		SourceProfile: c.SourceProfile, Session: aws.SessionName(runID),
	}, aws.Options{
		Secret: d.awsKeys, Seen: d.redactor.Add, Roots: d.roots, Log: d.log.WithField("run_id", runID),
	})
}

// awsKeys returns the secret of the grant, "" if it is not stored.
func (d *parts) awsKeys(ctx context.Context) (credential.Secret, error) {
	secret, err := d.resolver.Secret(ctx, grantAWS)
	if errors.Is(err, grants.ErrNoCredential) {
		return "", nil
	}
	return secret, err
}
