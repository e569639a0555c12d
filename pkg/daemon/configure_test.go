package daemon

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGetters(t *testing.T) {
	rc := NewRunContext("r")
	rc.SetCredential("api.example", "for the host")
	rc.SetCredentialHeader("API.example.:8443", "X-Key", "for the port")
	rc.AddExtraHeader("api.example", "X-A", "1")
	rc.AddExtraHeader("API.Example", "X-B", "2")
	rc.RemoveRequestHeader("api.example:8443", "X-C")
	rc.SetTokenSubstitution("api.example", "PLACE", "real")
	rc.AddResponseTransformer("api.example", func(any, any) (any, bool) { return nil, false })
	type all struct {
		Credential   CredentialEntry
		Found        bool
		Extra        []ExtraHeaderEntry
		Remove       []string
		Substitution TokenSubstitutionEntry
		Transformers int
	}
	host := all{
		Credential: CredentialEntry{Name: "Authorization", Value: "for the host"}, Found: true,
		Extra:        []ExtraHeaderEntry{{"X-A", "1"}, {"X-B", "2"}},
		Substitution: TokenSubstitutionEntry{"PLACE", "real"}, Transformers: 1,
	}
	port := host
	port.Credential, port.Remove = CredentialEntry{Name: "X-Key", Value: "for the port"}, []string{"X-C"}
	for _, tt := range []struct {
		name, host string
		want       all
	}{
		{"a host", "api.example", host},
		{"in another case, with a trailing dot", "API.example.", host},
		{"with a port that has nothing of its own", "api.example:443", host},
		{"with a port that has some", "api.EXAMPLE:8443", port},
		{"another host", "other.example", all{}},
		{"what is no host", "no host", all{}},
		{"nothing", "", all{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got all
			got.Credential, got.Found = rc.GetCredential(tt.host)
			got.Extra, got.Remove = rc.GetExtraHeaders(tt.host), rc.GetRemoveHeaders(tt.host)
			got.Substitution, _ = rc.GetTokenSubstitution(tt.host)
			got.Transformers = len(rc.GetResponseTransformers(tt.host))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("getters of %q (-want +got):\n%s", tt.host, d)
			}
		})
	}
}

func TestWhatGettersReturnIsTheCallers(t *testing.T) {
	rc := NewRunContext("r")
	rc.AddExtraHeader("a.example", "X-A", "1")
	rc.GetExtraHeaders("a.example")[0].Value = "changed"
	if got := rc.GetExtraHeaders("a.example")[0].Value; got != "1" {
		t.Errorf("GetExtraHeaders after a change of an earlier result = %q, want 1", got)
	}
}

func TestRulesOfARun(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*RunContext)
		want string // of a request to api.example
	}{
		{"none", func(*RunContext) {}, "as it is"},
		{"a field and not a method", func(rc *RunContext) {
			rc.Credentials["API.example"] = CredentialEntry{Name: "X-Key", Value: "v"}
		}, "X-Key: v"},
		{"a method after a field in another spelling: the method counts", func(rc *RunContext) {
			rc.Credentials["API.example."] = CredentialEntry{Name: "X-Key", Value: "field"}
			rc.SetCredentialHeader("api.example", "X-Key", "method")
		}, "X-Key: method"},
		{"two spellings in the fields: the canonical one counts", func(rc *RunContext) {
			rc.Credentials["API.example"] = CredentialEntry{Name: "X-Key", Value: "upper"}
			rc.Credentials["api.example."] = CredentialEntry{Name: "X-Key", Value: "dot"}
			rc.Credentials["api.example"] = CredentialEntry{Name: "X-Key", Value: "canonical"}
		}, "X-Key: canonical"},
		{"and so it does after a method was used", func(rc *RunContext) {
			rc.Credentials["API.example"] = CredentialEntry{Name: "X-Key", Value: "upper"}
			rc.Credentials["api.example"] = CredentialEntry{Name: "X-Key", Value: "canonical"}
			rc.RemoveRequestHeader("api.example", "X-C")
		}, "X-Key: canonical, no X-C"},
		{"lists in two spellings are one list", func(rc *RunContext) {
			rc.RemoveHeaders["API.example"] = []string{"X-A"}
			rc.RemoveRequestHeader("api.example", "X-B")
		}, "no X-A, no X-B"},
		{"fields that were never made", func(rc *RunContext) {
			rc.Credentials, rc.ExtraHeaders, rc.RemoveHeaders = nil, nil, nil
			rc.TokenSubstitutions, rc.ResponseTransformers = nil, nil
			rc.SetCredential("api.example", "v")
			rc.AddExtraHeader("api.example", "X-E", "e")
			rc.RemoveRequestHeader("api.example", "X-C")
			rc.SetTokenSubstitution("api.example", "PLACE", "real")
			rc.AddResponseTransformer("api.example", nil)
		}, "Authorization: v, X-E: e, PLACE -> real, no X-C"},
		{
			"a policy that there is not", func(rc *RunContext) { rc.NetworkPolicy = "lax" },
			`credential-unavailable: the rules of this run cannot be used: network policy "lax": write "permissive" or "strict"`,
		},
		{
			"a strict policy", func(rc *RunContext) { rc.NetworkPolicy = "strict" },
			"network-policy: api.example:443 is on no allow list of this run, whose network policy is strict",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, registered := range []bool{false, true} {
				rc := NewRunContext("r")
				tt.set(rc)
				if registered {
					NewRegistry().Register(rc)
				}
				if got := outcome(t, rc.ToProxyContextData(), "api.example"); got != tt.want {
					t.Errorf("a request (registered: %t) gets %q, want %q", registered, got, tt.want)
				}
			}
		})
	}
}

func TestGrantsAndWhatTheRunWasRegisteredWith(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*RunContext)
		want string // of a request to github.example
	}{
		{"a grant comes before a credential for the same host", func(rc *RunContext) {
			rc.SetCredential("github.example", "own")
		}, "Authorization: Bearer s3cret"},
		{"and joins the other rules", func(rc *RunContext) {
			rc.AddExtraHeader("github.example", "X-E", "e")
			rc.RemoveRequestHeader("github.example", "X-C")
		}, "Authorization: Bearer s3cret, X-E: e, no X-C"},
		{"a credential for the port comes before a grant for the host", func(rc *RunContext) {
			rc.SetCredential("github.example:443", "own")
		}, "Authorization: own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistryWith(RegistryOptions{Granter: newVault(map[string]string{"github": "s3cret"})})
			rc := NewRunContext("r")
			rc.AuthToken, rc.Grants = "t", []string{"github"}
			tt.set(rc)
			r.restore(t.Context(), rc)
			if got := outcome(t, live(t, r, "t"), "github.example"); got != tt.want {
				t.Errorf("a request gets %q, want %q", got, tt.want)
			}
		})
	}
}

func TestASnapshotNeverChanges(t *testing.T) {
	r, rc := NewRegistry(), NewRunContext("r")
	rc.SetCredential("api.example", "one")
	rc.AddExtraHeader("api.example", "X-E", "e")
	token := r.Register(rc)
	before := live(t, r, token)
	for _, change := range []func(){
		func() { rc.SetCredential("api.example", "two") },
		func() { rc.AddExtraHeader("api.example", "X-F", "f") },
		func() { rc.RemoveRequestHeader("api.example", "X-C") },
		func() { rc.SetTokenSubstitution("api.example", "PLACE", "real") },
		func() { rc.SetCredential("no host", "v") },
	} {
		change()
		if got, want := outcome(t, before, "api.example"), "Authorization: one, X-E: e"; got != want {
			t.Errorf("the old snapshot gives %q, want %q", got, want)
		}
	}
	if got := outcome(t, live(t, r, token), "other.example"); got[:22] != "credential-unavailable" || !rc.isDegraded() {
		t.Errorf("with a rule for no host, a request gets %q, degraded %t; want it refused, and degraded", got, rc.isDegraded())
	}
}
