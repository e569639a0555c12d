package grants_test

import "github.com/moatd/moatd/pkg/internal/providers"

// recorder keeps what is set in it, one line for each call that a provider makes.
type recorder struct {
	providers.Configurer // nil: the calls that no provider makes panic

	calls []string
}

func (r *recorder) SetCredentialWithGrant(host, name, value, grant string) {
	r.calls = append(r.calls, "set "+host+" "+name+": "+value+" ("+grant+")")
}

func (r *recorder) AddExtraHeader(host, name, value string) {
	r.calls = append(r.calls, "extra "+host+" "+name+": "+value)
}

func (r *recorder) RemoveRequestHeader(host, name string) {
	r.calls = append(r.calls, "remove "+host+" "+name)
}

func (r *recorder) SetTokenSubstitution(host, placeholder, token string) {
	r.calls = append(r.calls, "substitute "+host+" "+placeholder+" "+token)
}

func (r *recorder) SetPathCredential(host, prefix, name, value, grant string) {
	r.calls = append(r.calls, "set "+host+prefix+" "+name+": "+value+" ("+grant+")")
}
