package oauth

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/moatd/moatd/pkg/credential"
)

// Renew gets the next tokens of r, which is of kind [credential.RenewalOAuth2]. It
// sends one request, to TokenURL, and follows no redirect: a refresh token may
// count once. The error has [oauth2.RetrieveError] in it if the server has
// answered; invalid_grant in that says that only a new login helps.
func Renew(ctx context.Context, client *http.Client, r *credential.Renewal) (Tokens, error) {
	how := How{TokenURL: r.TokenURL, Client: Client{r.ClientID, r.ClientSecret, r.ClientAuth}, Resource: r.Resource}
	if err := how.check(); err != nil {
		return Tokens{}, err
	}
	if r.RefreshToken == "" {
		return Tokens{}, errors.New("there is no refresh token")
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, careful(client))
	t, err := next(ctx, how, r.RefreshToken)
	if err != nil {
		return Tokens{}, failed("renew the token", err)
	}
	return tokens(t)
}

// next sends the request. Only Exchange takes the parameter resource, so it is
// told that its grant is another one; the code that it sends is empty, which
// counts as none (RFC 6749, 3.2).
func next(ctx context.Context, how How, refresh credential.Secret) (*oauth2.Token, error) {
	c := how.config("")
	if how.Resource == "" {
		return c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	}
	t, err := c.Exchange(ctx, "", append(how.resource(),
		oauth2.SetAuthURLParam("grant_type", "refresh_token"), oauth2.SetAuthURLParam("refresh_token", refresh.Reveal()))...)
	if err == nil && t.RefreshToken == "" {
		t.RefreshToken = refresh.Reveal()
	}
	return t, err
}
