package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/moatd/moatd/pkg/internal/activation"
)

// A Client talks to the daemon over its Unix socket. It is safe for concurrent
// use. Connecting starts a daemon whose socket a service manager holds.
type Client struct {
	http    *http.Client
	sock    string
	version string // of the program, "" if it does not say
}

// NewClient returns a client for the socket at sockPath; it does not connect.
func NewClient(sockPath string) *Client {
	c := &Client{sock: sockPath}
	// One connection for each call: a kept one may lead to a daemon that ends.
	c.http = &http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	return c
}

// dial connects and makes sure that the socket is ours: behind an activated one
// is the service manager, so there is only its uid to look at.
func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.sock)
	if err != nil {
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s: %T is no Unix socket", c.sock, conn), conn.Close())
	}
	if uid, err := activation.PeerUID(u); err != nil || !trusted(uid) {
		return nil, errors.Join(fmt.Errorf("%s belongs to another user (uid %d)", c.sock, uid), err, conn.Close())
	}
	return conn, nil
}

// Health returns what the daemon says of itself.
func (c *Client) Health(ctx context.Context) (*HealthResponse, error) {
	return call[*HealthResponse](ctx, c, http.MethodGet, "/v1/health", nil)
}

// ListRuns returns the runs in the order of their registration.
func (c *Client) ListRuns(ctx context.Context) ([]RunInfo, error) {
	return call[[]RunInfo](ctx, c, http.MethodGet, "/v1/runs", nil)
}

// closingRetries and closingWait bound how long a registration waits for the
// daemon that follows one that is about to end.
const (
	closingRetries = 20
	closingWait    = 100 * time.Millisecond
)

// RegisterRun registers a run; when it returns, the run is on disk. A daemon
// that is about to end is waited for, 2 s at most. The error is ErrRunExists,
// ErrGrant or ErrBadRequest for what the daemon refused.
func (c *Client) RegisterRun(ctx context.Context, regReq RegisterRequest) (*RegisterResponse, error) {
	for range closingRetries {
		resp, err := call[*RegisterResponse](ctx, c, http.MethodPost, "/v1/runs", regReq)
		if !errors.Is(err, ErrClosing) {
			return resp, err
		}
		select {
		case <-time.After(closingWait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, ErrClosing
}

// UpdateRun sets the container of a run; when it returns, that is on disk. The
// error is ErrRunNotFound if there is no such run.
func (c *Client) UpdateRun(ctx context.Context, token, containerID string) error {
	return c.changeRun(ctx, http.MethodPatch, token, UpdateRunRequest{ContainerID: containerID})
}

// UnregisterRun removes a run; when it returns, that is on disk. The error is
// ErrRunNotFound if there is no such run.
func (c *Client) UnregisterRun(ctx context.Context, token string) error {
	return c.changeRun(ctx, http.MethodDelete, token, nil)
}

// Reload makes the daemon read configuration, providers and credentials anew;
// when it returns, live runs have them. The error is ErrUnsupported if the
// daemon is too old to know the call.
func (c *Client) Reload(ctx context.Context) error {
	_, err := call[empty](ctx, c, http.MethodPost, "/v1/reload", nil)
	return err
}

// Rekey makes the daemon move all that is sealed to a new key; when it returns
// nil, that is on disk. The error is [credential.ErrKeyLocked],
// [credential.ErrKeyUnavailable], ErrBadRequest, or ErrUnsupported if the
// daemon is too old to know the call.
func (c *Client) Rekey(ctx context.Context, req RekeyRequest) (*RekeyResponse, error) {
	return call[*RekeyResponse](ctx, c, http.MethodPost, "/v1/rekey", req)
}

// Credentials returns how the credentials of the live runs are. The error is
// ErrUnsupported if the daemon is too old to know the call.
func (c *Client) Credentials(ctx context.Context) ([]CredentialInfo, error) {
	return call[[]CredentialInfo](ctx, c, http.MethodGet, "/v1/credentials", nil)
}

// Shutdown asks the daemon to end. It returns when the daemon has begun to.
func (c *Client) Shutdown(ctx context.Context) error {
	_, err := call[stopping](ctx, c, http.MethodPost, "/v1/shutdown", nil)
	return err
}
