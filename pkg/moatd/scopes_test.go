package moatd_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

// TestALiveRunWithScopes goes through the life of two grants for one host, with an
// open tunnel: each change counts for its own paths, from the next request on.
func TestALiveRunWithScopes(t *testing.T) {
	d := daemontest.New(t)
	d.Pretend(http.HandlerFunc(sight), "api.github.com", "github.com", "raw.githubusercontent.com", "uploads.github.com")
	d.Grant("github:acme/app", "one")
	d.Grant("github:other/lib", "two")
	d.Start()
	client := d.HTTPClient(d.Register(daemon.RegisterRequest{
		RunID: "r", Grants: []string{"github:acme/app", "github:other/lib"}, NetworkPolicy: "strict",
	}))
	const app, lib, other, graphql = "/repos/acme/app", "/repos/other/lib/issues", "/repos/acme/secret", "/graphql"
	check := func(when string, want map[string]string) {
		t.Helper()
		for path, want := range want {
			status, got := send(t, client, "https://api.github.com"+path, http.Header{"Authorization": {"Bearer agent's own"}})
			if got := fmt.Sprint(status, " ", got.Header.Get("Authorization")); got != want {
				t.Errorf("%s, %s: %s, want %s", when, path, got, want)
			}
		}
	}
	check("at first", map[string]string{app: "200 Bearer one", lib: "200 Bearer two", other: "403 ", graphql: "403 "})
	d.Grant("github:acme/app", "three")
	check("one granted anew", map[string]string{app: "200 Bearer three", lib: "200 Bearer two"})
	d.Revoke("github:other/lib")
	check("the other revoked", map[string]string{app: "200 Bearer three", lib: "503 ", other: "403 ", graphql: "403 "})
	d.Grant("github", "whole")
	check("the provider's own takes its place, for its paths alone", map[string]string{app: "200 Bearer three", lib: "200 Bearer whole", other: "403 "})
	d.Revoke("github")
	d.Revoke("github:acme/app")
	check("all revoked", map[string]string{app: "503 ", lib: "503 ", other: "403 "})
	d.Stop()
	d.Start()
	check("and after a restart", map[string]string{app: "503 ", lib: "503 ", other: "403 "})
	d.Grant("github:acme/app", "four")
	client = d.HTTPClient(d.Register(daemon.RegisterRequest{RunID: "s", Grants: []string{"github:acme/app"}}))
	check("a run with one alone", map[string]string{app: "200 Bearer four", graphql: "200 Bearer four", "/user": "200 Bearer four", other: "403 "})
	client = d.HTTPClient(d.Register(daemon.RegisterRequest{RunID: "t", Grants: []string{"github:acme/app"}, NetworkAllow: []string{"api.github.com"}}))
	check("a run that may go without", map[string]string{app: "200 Bearer four", other: "200 "})
}
