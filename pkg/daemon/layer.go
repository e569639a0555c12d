package daemon

import (
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A layer is a set of rules by host. A run has two: what it was registered
// with, in the exported maps, and what its grants set, made anew at each
// refresh. It implements [credential.ProxyConfigurer], with no lock.
type layer struct {
	credentials   map[string]CredentialEntry
	extra         map[string][]ExtraHeaderEntry
	remove        map[string][]string
	substitutions map[string]TokenSubstitutionEntry
	transformers  map[string][]credential.ResponseTransformer
	secrets       map[string]credential.Secret // by grant, of MCP servers
	kinds         map[string][]string          // of the built-in transformers
}

func newLayer() *layer {
	return &layer{
		credentials:   make(map[string]CredentialEntry),
		extra:         make(map[string][]ExtraHeaderEntry),
		remove:        make(map[string][]string),
		substitutions: make(map[string]TokenSubstitutionEntry),
		transformers:  make(map[string][]credential.ResponseTransformer),
		secrets:       make(map[string]credential.Secret),
		kinds:         make(map[string][]string),
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
