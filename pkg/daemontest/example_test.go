package daemontest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

// A test of a program that makes requests under a daemon.
func TestThatUsesADaemon(t *testing.T) {
	d := daemontest.New(t)
	origin := d.Origin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization"))
	}))
	d.Provider("demo", "name: demo\ndescription: d\ninject: [{hosts: ['"+origin+"'], prefix: 'Bearer '}]\n")
	d.Grant("demo", "the-real-secret")
	d.Start()

	token := d.Register(daemon.RegisterRequest{RunID: "r", Grants: []string{"demo"}, NetworkAllow: []string{origin}})
	res, err := d.HTTPClient(token).Get("https://" + origin + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, _ := io.ReadAll(res.Body); string(got) != "Bearer the-real-secret" {
		t.Errorf("the origin saw %q, want the credential", got)
	}
}
