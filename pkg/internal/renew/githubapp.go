package renew

import (
	"context"
	"errors"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/githubapp"
)

// gitHubApp asks for the next token of an installation.
func (r *Renewer) gitHubApp(ctx context.Context, c *credential.Credential) error {
	if err := checkTokenURL(c.Renewal.TokenURL); err != nil {
		return err
	}
	if _, err := githubapp.ParseKey(c.Renewal.PrivateKey); err != nil {
		return final("the app's key: %v", err)
	}
	client := r.client()
	defer client.CloseIdleConnections()
	next, err := githubapp.Exchange(ctx, client, c.Renewal, time.Now())
	if errors.Is(err, githubapp.ErrRejected) {
		return final("%v", err)
	}
	if err != nil {
		return failed("%v", err)
	}
	c.Secret, c.ExpiresAt = next.Secret, next.ExpiresAt
	return nil
}
