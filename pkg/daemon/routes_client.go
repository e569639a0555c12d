package daemon

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// RegisterRoutes makes services, host:port by name, the routes of agent, in
// place of those that it has; when it returns, they are on disk and served. They
// go with the run whose id is the agent's name, if there is one: see
// [Client.PutRoutes] for others. The error is ErrBadRequest for what makes no
// routes.
func (c *Client) RegisterRoutes(ctx context.Context, agent string, services map[string]string) error {
	return c.PutRoutes(ctx, agent, RouteRegistration{Services: services})
}

// PutRoutes is [Client.RegisterRoutes] for routes that go with a run. The error
// is ErrRunNotFound if the run is not registered, and ErrRouteTaken if the agent
// has routes that go with another one.
func (c *Client) PutRoutes(ctx context.Context, agent string, reg RouteRegistration) error {
	return c.changeRoutes(ctx, http.MethodPost, agent, reg)
}

// UnregisterRoutes removes the routes of agent, if it has any; when it returns,
// that is on disk.
func (c *Client) UnregisterRoutes(ctx context.Context, agent string) error {
	return c.changeRoutes(ctx, http.MethodDelete, agent, nil)
}

// ListRoutes returns the routes of all agents, by name. The error is
// ErrUnsupported if the daemon is too old to know the call.
func (c *Client) ListRoutes(ctx context.Context) ([]RouteInfo, error) {
	return call[[]RouteInfo](ctx, c, http.MethodGet, "/v1/routes", nil)
}

func (c *Client) changeRoutes(ctx context.Context, method, agent string, req any) error {
	if agent == "" {
		return fmt.Errorf("%w: the name of the agent is empty", ErrBadRequest)
	}
	// Dots are escaped: the server would take a name of dots alone for a way up.
	path := "/v1/routes/" + strings.ReplaceAll(url.PathEscape(agent), ".", "%2E")
	_, err := call[empty](ctx, c, method, path, req)
	return err
}
