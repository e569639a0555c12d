package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/pflag"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/githubapp"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// appFlags say which GitHub App a credential is of; all are set, or none.
type appFlags struct {
	appID, installationID, privateKey string
	gitHubAPI                         string // "" means that of github.com
}

const gitHubAPI = "https://api.github.com"

func (f *appFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.appID, "app-id", "", "the `id` of the GitHub App, or its client id")
	flags.StringVar(&f.installationID, "installation-id", "", "the `id` of its installation")
	flags.StringVar(&f.privateKey, "private-key", "", "the `file` with its private key, PEM")
	flags.StringVar(&f.gitHubAPI, "github-api", gitHubAPI, "the `URL` of the API, for a GitHub of your own")
}

func (f grantFlags) checkApp(p *providers.Provider) error {
	given := 0
	for _, flag := range []string{f.appID, f.installationID, f.privateKey} {
		if flag != "" {
			given++
		}
	}
	switch {
	case given == 0 && f.gitHubAPI == gitHubAPI:
		return nil
	case given < 3:
		return errors.New("a GitHub App needs all of --app-id, --installation-id and --private-key")
	case f.env+f.file+f.command+f.url != "" || f.expiresIn > 0:
		return errors.New("the token of a GitHub App comes from GitHub: it has no other source, and GitHub says when it expires")
	case p.Name() == "github" || f.gitHubAPI != gitHubAPI:
		return nil
	}
	return fmt.Errorf("--app-id is for github, or with --github-api for a provider of your own, and not for %s", p.Name())
}

// installation gets the first token of an app's installation, and keeps what the
// next are made of.
func (a *app) installation(ctx context.Context, name string, f appFlags) (*credential.Credential, error) {
	key, err := readFile(f.privateKey)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	where, err := githubapp.TokenURL(f.gitHubAPI, f.installationID)
	if err != nil {
		return nil, err
	}
	client, done, err := a.httpClient()
	if err != nil {
		return nil, err
	}
	defer done()
	now := time.Now()
	how := &credential.Renewal{
		Kind: credential.RenewalGitHubApp, AppID: f.appID, InstallationID: f.installationID,
		PrivateKey: credential.Secret(key), TokenURL: where,
	}
	token, err := githubapp.Exchange(ctx, client, how, now)
	if err != nil {
		return nil, fmt.Errorf("grant %s: %w", name, err)
	}
	return &credential.Credential{
		Grant: name, Secret: token.Secret, Source: "github-app", CreatedAt: now, ExpiresAt: token.ExpiresAt, Renewal: how,
	}, nil
}

// httpClient returns a client for services, as validator reaches them, and what
// ends its connections. An answer is waited for as long as validation waits.
func (a *app) httpClient() (client *http.Client, done func(), err error) {
	v, err := a.validator()
	if err != nil {
		return nil, nil, err
	}
	tr := v.Transport()
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}, tr.CloseIdleConnections, nil
}
