package providers_test

import (
	"slices"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// recorder keeps what is set in it, one line for each call.
type recorder struct{ calls []string }

var _ providers.Configurer = (*recorder)(nil)

func (r *recorder) add(call string) { r.calls = append(r.calls, call) }

func (r *recorder) SetCredential(host, value string) { r.add("bare " + host + " " + value) }

func (r *recorder) SetCredentialHeader(host, name, value string) {
	r.add("header " + host + " " + name + ": " + value)
}

func (r *recorder) SetCredentialWithGrant(host, name, value, grant string) {
	r.add("set " + host + " " + name + ": " + value + " (" + grant + ")")
}

func (r *recorder) AddExtraHeader(host, name, value string) {
	r.add("extra " + host + " " + name + ": " + value)
}

func (r *recorder) AddResponseTransformer(host string, _ credential.ResponseTransformer) {
	r.add("transform " + host)
}

func (r *recorder) RemoveRequestHeader(host, name string) { r.add("remove " + host + " " + name) }

func (r *recorder) SetTokenSubstitution(host, placeholder, token string) {
	r.add("substitute " + host + " " + placeholder + " " + token)
}

func (r *recorder) SetPathCredential(host, prefix, name, value, grant string) {
	r.add("set " + host + prefix + " " + name + ": " + value + " (" + grant + ")")
}

func (r *recorder) LendPathCredential(host, prefix, name, value, grant string) {
	r.add("lend " + host + prefix + " " + name + ": " + value + " (" + grant + ")")
}

func (r *recorder) RemoveQueryParameter(host, name string) { r.add("query " + host + " " + name) }

func (r *recorder) AddTransformerKind(host, kind string) { r.add("kind " + host + " " + kind) }

// sorted returns the calls in an order that does not depend on the provider's.
func (r *recorder) sorted(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(slices.Values(r.calls))
}
