package daemon

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/proxy"
)

// rulesOf returns the rules of the run with the token for a host with a port.
func rulesOf(t *testing.T, r *Registry, token, host string, port int) proxy.HostRules {
	t.Helper()
	v := live(t, r, token).Decide(proxy.Head{Scheme: "https", Target: hosts.Host{Name: host, Port: port}})
	if v.Rules == nil {
		return proxy.HostRules{}
	}
	return *v.Rules
}

const (
	workaround = "oauth-endpoint-workaround"
	scrub      = "response-scrub"
)

func TestTransformersOfARegistrationReachTheProxyAndSurviveARestart(t *testing.T) {
	s, c, disk := onDisk(t, newVault(map[string]string{"github": "s3cret"}))
	req := RegisterRequest{RunID: "a", AuthToken: "token-of-a", Grants: []string{"github"}, ResponseTransformers: []TransformerSpec{
		{"API.example.", workaround}, {"api.example", scrub}, {"github.example:8443", scrub},
	}}
	if err := register(req)(t.Context(), c); err != nil {
		t.Fatalf("RegisterRun = %v", err)
	}
	again := NewRegistryWith(RegistryOptions{Granter: newVault(map[string]string{"github": "s3cret"})})
	if _, err := (&RunPersister{registry: again, runs: disk}).Restore(t.Context()); err != nil {
		t.Fatalf("Restore = %v", err)
	}
	for name, r := range map[string]*Registry{"as registered": s.Registry(), "after a restart": again} {
		for _, tt := range []struct {
			name, host string
			port       int
			want       []string
		}{
			{"two, in another spelling", "api.example", 443, []string{workaround, scrub}},
			{"for each port of a host", "api.example", 8443, []string{workaround, scrub}},
			{"for one port, beside the credential of the host", "github.example", 8443, []string{scrub}},
			{"not for the other ports", "github.example", 443, nil},
			{"not for other hosts", "other.example", 443, nil},
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				rules := rulesOf(t, r, "token-of-a", tt.host, tt.port)
				if d := cmp.Diff(tt.want, rules.Kinds); d != "" {
					t.Errorf("kinds for %s:%d (-want +got):\n%s", tt.host, tt.port, d)
				}
				if has := len(rules.Credentials) > 0; has != (tt.host == "github.example") {
					t.Errorf("rules for %s:%d have a credential: %t", tt.host, tt.port, has)
				}
			})
		}
	}
}

func TestTransformersThatMakeNoSenseAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec TransformerSpec
		want string
	}{
		{"a kind that there is not", TransformerSpec{"api.example", "scrub"}, `"scrub" is not known: write oauth-endpoint-workaround or response-scrub`},
		{"no kind", TransformerSpec{Host: "api.example"}, "is not known"},
		{"no host", TransformerSpec{"a b", scrub}, "rules"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, _ := onDisk(t, newVault(nil))
			err := register(RegisterRequest{RunID: "a", ResponseTransformers: []TransformerSpec{tt.spec}})(t.Context(), c)
			if !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), tt.want) || s.Registry().Count() != 0 {
				t.Errorf("RegisterRun(%+v) = %v, %d runs; want %v with %q, and none", tt.spec, err, s.Registry().Count(), ErrBadRequest, tt.want)
			}
		})
	}
}

func TestGoTransformersReachTheProxyInOrder(t *testing.T) {
	names := func(name string) func(req, resp any) (any, bool) {
		return func(_, resp any) (any, bool) {
			res, ok := resp.(*http.Response)
			if ok {
				res.Header.Add("X-Seen", name)
			}
			return resp, ok
		}
	}
	rc := NewRunContext("a")
	rc.AddResponseTransformer("api.example", names("first"))
	r := NewRegistry()
	r.RegisterWithToken(rc, "token-of-a")
	rc.AddResponseTransformer("API.example", names("second")) // while the run is served
	rules := rulesOf(t, r, "token-of-a", "api.example", 443)
	res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: new(http.Request)}
	if err := rules.Response(res); err != nil {
		t.Fatalf("Response = %v", err)
	}
	if d := cmp.Diff([]string{"first", "second"}, res.Header.Values("X-Seen")); d != "" {
		t.Errorf("X-Seen (-want +got):\n%s", d)
	}
}
