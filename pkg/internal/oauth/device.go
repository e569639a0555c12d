package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// A Device is a login on another machine (RFC 8628): the person opens URL there
// and types UserCode.
type Device struct {
	URL       string
	UserCode  string
	ExpiresAt time.Time // zero if the server does not say

	how    How
	answer *oauth2.DeviceAuthResponse
}

// NewDevice begins such a login.
func NewDevice(ctx context.Context, client *http.Client, how How) (*Device, error) {
	if err := how.check(); err != nil {
		return nil, err
	}
	if how.DeviceURL == "" {
		return nil, errors.New("there is no login by a code for another device")
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, careful(client))
	a, err := how.config("").DeviceAuth(ctx, how.resource()...)
	if err != nil {
		return nil, failed("ask for a code", err)
	}
	if _, err = safeURL(a.VerificationURI); err != nil {
		return nil, err
	}
	return &Device{printable(a.VerificationURI), printable(a.UserCode), a.Expiry, how, a}, nil
}

// Wait returns the tokens once the person has agreed. It asks as often as the
// server allows, until the code has expired or ctx ends.
func (d *Device) Wait(ctx context.Context, client *http.Client) (Tokens, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, careful(client))
	t, err := d.how.config("").DeviceAccessToken(ctx, d.answer, d.how.resource()...)
	if err != nil {
		return Tokens{}, failed("wait for the login", err)
	}
	return tokens(t)
}
