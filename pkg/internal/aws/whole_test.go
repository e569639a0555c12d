package aws

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/proxy"
)

// TestWholeWay goes from a run's registration over the proxy's port to STS.
func TestWholeWay(t *testing.T) {
	s := newSTS(t)
	reg := daemon.NewRegistryWith(daemon.RegistryOptions{AWS: func(runID string, c daemon.AWSConfig) (http.Handler, error) {
		return New(Role{ARN: c.RoleARN, Region: c.Region, Duration: c.SessionDuration, ExternalID: c.ExternalID, Session: SessionName(runID)}, s.options(testKeys))
	}})
	role := &daemon.AWSConfig{RoleARN: validRole().ARN, Region: "eu-central-1", SessionDuration: time.Hour}
	runs := []daemon.PersistedRun{{RunID: "run_1", AuthToken: "tok1", AWSConfig: role}, {RunID: "run_2", AuthToken: "tok2"}}
	if whole := daemon.RestoreRuns(t.Context(), reg, runs); whole != 2 {
		t.Errorf("RestoreRuns = %d, want both", whole)
	}
	addr := serve(t, reg)
	for _, tt := range []struct {
		name, token string
		status      int
		want        string
	}{
		{"the run of the role", "tok1", 200, `"AccessKeyId":"ASIAROLE"`},
		{"and once more", "tok1", 200, `"AccessKeyId":"ASIAROLE"`},
		{"another run", "tok2", 404, "this run has no AWS role"},
		{"no run", "tok3", 401, "no run has this proxy token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/_aws/credentials", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+tt.token)
			res, err := new(http.Client).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
				t.Errorf("answer = %s %s, %v; want %d and %q", res.Status, body, err, tt.status, tt.want)
			}
		})
	}
	if asked := s.requests(); len(asked) != 1 || asked[0].Get("RoleSessionName") != "moat-run_1" {
		t.Errorf("requests to STS = %v, want one, for run_1", asked)
	}
}

// serve serves a proxy for the runs of reg and returns its address.
func serve(t *testing.T, reg *daemon.Registry) string {
	t.Helper()
	p, err := proxy.New(proxy.Options{
		Runs:        reg.Snapshot,
		Certificate: func(string) (*tls.Certificate, error) { return nil, errors.New("not asked for here") },
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}
