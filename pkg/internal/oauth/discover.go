package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Errors of [Discover], to be tested with [errors.Is].
var (
	// ErrOpen reports a server that asks for no credential.
	ErrOpen = errors.New("it asks for no credential")
	// ErrNoOAuth reports a server that does not say where to log in.
	ErrNoOAuth = errors.New("it does not say where to log in")
)

// Found is how to log in to an MCP server.
type Found struct {
	Server   Server
	Resource string   // the server that the tokens are for
	Scopes   []string // that it asks for; nil if it does not say
}

// initialize is the first message of an MCP client.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",` +
	`"capabilities":{},"clientInfo":{"name":"moat","version":"1"}}}`

// Discover finds out how to log in to the MCP server at a URL, which must be
// https, or on this machine, by asking it and then the authorization server that
// it names. Nothing secret is sent.
func Discover(ctx context.Context, client *http.Client, server string) (Found, error) {
	u, err := safeURL(server)
	if err != nil {
		return Found{}, err
	}
	c := careful(client)
	asked, err := knock(ctx, c, server)
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", u.Host, err)
	}
	resource, err := findResource(ctx, c, u, asked["resource_metadata"])
	if err != nil {
		return Found{}, err
	}
	issuer, err := safeURL(resource.Servers[0])
	if err != nil {
		return Found{}, err
	}
	data, where, err := first(ctx, c, serverURLs(issuer))
	if errors.Is(err, errNoDocument) {
		return Found{}, fmt.Errorf("authorization server %s: %w: it has no metadata", issuer.Host, ErrNoOAuth)
	}
	if err != nil {
		return Found{}, fmt.Errorf("authorization server: %w", err)
	}
	s, err := ParseServer(data, resource.Servers[0])
	if err != nil {
		return Found{}, fmt.Errorf("%s %w", where, err)
	}
	scopes := strings.Fields(asked["scope"])
	if len(scopes) == 0 {
		scopes = resource.Scopes
	}
	return Found{s, resource.ID, withRefresh(scopes, s.Scopes)}, checkScopes(scopes)
}

// withRefresh returns scopes and, where the authorization server knows it, the one
// that some give no refresh token without. Without any scope it is for the server
// to choose, and one of ours would take the others away.
func withRefresh(scopes, known []string) []string {
	const offline = "offline_access" // OpenID Connect Core, 11
	if len(scopes) == 0 || !slices.Contains(known, offline) || slices.Contains(scopes, offline) {
		return scopes
	}
	return append(slices.Clip(scopes), offline)
}

// knock asks the server as a client without a token does, and returns the
// parameters of what it asks for.
func knock(ctx context.Context, c *http.Client, server string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader([]byte(initialize)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	res, err := ask(c, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return bearer(ParseChallenges(res.Header.Values("WWW-Authenticate"))), nil
	case res.StatusCode/100 == 2:
		return nil, ErrOpen
	case res.StatusCode/100 == 3:
		return nil, fmt.Errorf("it is elsewhere: it answers %d with %.200q; give that URL, if you trust it", res.StatusCode, res.Header.Get("Location"))
	}
	_, _ = io.Copy(io.Discard, res.Body) // the connection may be of use, or not
	return nil, fmt.Errorf("it answers %d %s, and an MCP server that wants a login 401", res.StatusCode, http.StatusText(res.StatusCode))
}

// findResource returns the metadata of the server u: from where it said that
// they are, else from the usual places, else, as servers did before there were
// such metadata, those of an authorization server on its own host.
func findResource(ctx context.Context, c *http.Client, u *url.URL, said string) (Resource, error) {
	places := resourceURLs(u)
	if said != "" {
		places = []string{said}
	}
	data, where, err := first(ctx, c, places)
	if errors.Is(err, errNoDocument) && said == "" {
		return Resource{ID: u.String(), Servers: []string{at(u, "")}}, nil
	}
	if err != nil {
		return Resource{}, fmt.Errorf("metadata of %s: %w", u.Host, err)
	}
	r, err := ParseResource(data, u.String())
	if err != nil {
		return Resource{}, fmt.Errorf("%s %w", where, err)
	}
	return r, nil
}

// How returns how the client c logs in there.
func (f Found) How(c Client) How {
	return How{
		AuthURL: f.Server.AuthURL, TokenURL: f.Server.TokenURL, DeviceURL: f.Server.DeviceURL, Client: c,
		Scopes: f.Scopes, Resource: f.Resource, Issuer: f.Server.Issuer, SaysIssuer: f.Server.SaysIssuer,
	}
}
