package daemon

import (
	"fmt"
	"strings"
	"testing"
)

func TestNothingPrintsASecretOrAToken(t *testing.T) {
	const secret = "s3cret"
	rc := NewRunContext("r")
	rc.AuthToken = secret
	rc.SetCredential("a.example", secret)
	rc.SetTokenSubstitution("a.example", "PLACE", secret)
	req := RegisterRequest{
		RunID: "r", AuthToken: secret,
		Credentials:        []CredentialSpec{{Host: "a.example", Header: "Authorization", Value: secret}},
		TokenSubstitutions: []TokenSubstitutionSpec{{Host: "a.example", Placeholder: "PLACE", RealToken: secret}},
	}
	cred, _ := rc.GetCredential("a.example")
	subst, _ := rc.GetTokenSubstitution("a.example")
	kept := PersistedRun{AuthToken: secret, RunID: "r"}
	for _, tt := range []struct {
		name string
		v    fmt.Formatter
		want string
	}{
		{"a run", rc, "run r"},
		{"a credential", cred, "Authorization: [secret]"},
		{"a substitution", subst, "PLACE -> [secret]"},
		{"a registration", req, "registration of run r"},
		{"a registration by its address", &req, "registration of run r"},
		{"the answer to it", RegisterResponse{secret, 19080}, "registered, proxy port 19080, token [secret]"},
		{"a credential of a registration", req.Credentials[0], "a.example Authorization: [secret]"},
		{"a substitution of a registration", req.TokenSubstitutions[0], "a.example PLACE -> [secret]"},
		{"a run on disk", kept, "run r"},
		{"a record", record{PersistedRun: kept}, "run r"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				if got := fmt.Sprintf(verb, tt.v); got != tt.want {
					t.Errorf("Sprintf(%s) = %q, want %q", verb, got, tt.want)
				}
				in := fmt.Sprintf(verb, struct{ Vs []any }{[]any{tt.v}})
				if strings.Contains(in, secret) || strings.Contains(in, fmt.Sprintf("%x", secret)) {
					t.Errorf("Sprintf(%s) inside others = %q, which has the secret", verb, in)
				}
			}
		})
	}
}

func TestStringsOfSecretTypes(t *testing.T) {
	rc := NewRunContext("r")
	cred, subst := CredentialEntry{"X-Api-Key", "s3cret", ""}, TokenSubstitutionEntry{"PLACE", "s3cret"}
	for got, want := range map[string]string{
		rc.String(): "run r", cred.String(): "X-Api-Key: [secret]", subst.String(): "PLACE -> [secret]",
	} {
		if got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
	if rc.GoString() != rc.String() || cred.GoString() != cred.String() || subst.GoString() != subst.String() {
		t.Error("GoString differs from String")
	}
}
