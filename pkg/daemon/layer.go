package daemon

import (
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/proxy"
)

// A layer is a set of rules by host. A run has one with what it was registered
// with, in the exported maps, and one for each of its grants, made anew at each
// refresh. It implements [credential.ProxyConfigurer], with no lock.
type layer struct {
	grant   string        // that it is of, "" for what the run was registered with
	missing proxy.Missing // of a grant without a credential: its claims say for what

	credentials   map[string]CredentialEntry
	extra         map[string][]ExtraHeaderEntry
	remove        map[string][]string
	substitutions map[string]TokenSubstitutionEntry
	transformers  map[string][]credential.ResponseTransformer
	kinds         map[string][]string // of the built-in transformers
	query         map[string][]string // parameters to take out
	paths         map[string][]claim  // credentials for parts of a host
}

func newLayer() *layer {
	return &layer{
		credentials:   make(map[string]CredentialEntry),
		extra:         make(map[string][]ExtraHeaderEntry),
		remove:        make(map[string][]string),
		substitutions: make(map[string]TokenSubstitutionEntry),
		transformers:  make(map[string][]credential.ResponseTransformer),
		kinds:         make(map[string][]string),
		query:         make(map[string][]string),
		paths:         make(map[string][]claim),
	}
}

// key returns the canonical spelling of a host, and what is no host as it is:
// compiling the rules then says what is wrong with it.
func key(host string) string {
	h, err := hosts.Parse(host)
	if err != nil {
		return host
	}
	return h.String()
}

// lookup returns the value for host with its port, else for host alone.
func lookup[V any](m map[string]V, host string) (V, bool) {
	if v, ok := m[key(host)]; ok {
		return v, true
	}
	h, err := hosts.Parse(host)
	if err != nil {
		var none V
		return none, false
	}
	v, ok := m[h.WithoutPort().String()]
	return v, ok
}

func (l *layer) SetCredential(host, value string) {
	l.SetCredentialHeader(host, "Authorization", value)
}

func (l *layer) SetCredentialHeader(host, headerName, headerValue string) {
	l.SetCredentialWithGrant(host, headerName, headerValue, "")
}

func (l *layer) SetCredentialWithGrant(host, headerName, headerValue, grant string) {
	l.credentials[key(host)] = CredentialEntry{Name: headerName, Value: headerValue, Grant: grant}
}

func (l *layer) AddExtraHeader(host, headerName, headerValue string) {
	k := key(host)
	l.extra[k] = append(l.extra[k], ExtraHeaderEntry{Name: headerName, Value: headerValue})
}

func (l *layer) AddResponseTransformer(host string, transformer credential.ResponseTransformer) {
	k := key(host)
	l.transformers[k] = append(l.transformers[k], transformer)
}

func (l *layer) RemoveRequestHeader(host, headerName string) {
	k := key(host)
	l.remove[k] = append(l.remove[k], headerName)
}

func (l *layer) SetTokenSubstitution(host, placeholder, realToken string) {
	l.substitutions[key(host)] = TokenSubstitutionEntry{Placeholder: placeholder, RealToken: realToken}
}

// SetPathCredential sends a header to host for the paths below prefix alone.
func (l *layer) SetPathCredential(host, prefix, headerName, headerValue, grant string) {
	k := key(host)
	l.paths[k] = append(l.paths[k], claim{layer: l, prefix: prefix, entry: CredentialEntry{headerName, headerValue, grant}})
}

// LendPathCredential does so where no other grant of the run wants it.
func (l *layer) LendPathCredential(host, prefix, headerName, headerValue, grant string) {
	k := key(host)
	l.paths[k] = append(l.paths[k], claim{layer: l, prefix: prefix, entry: CredentialEntry{headerName, headerValue, grant}, lent: true})
}

// RemoveQueryParameter takes a parameter out of the query of requests for host.
func (l *layer) RemoveQueryParameter(host, name string) {
	k := key(host)
	l.query[k] = append(l.query[k], name)
}

// AddTransformerKind changes the answers of host with a built-in transformer.
func (l *layer) AddTransformerKind(host, kind string) {
	k := key(host)
	l.kinds[k] = append(l.kinds[k], kind)
}
