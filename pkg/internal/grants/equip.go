package grants

import (
	"net/http"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/inject"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// equipRequest puts into req what the provider does with secret, as the proxy
// would for a run that has the grant.
func equipRequest(p *providers.Provider, secret credential.Secret, req *http.Request) error {
	host, err := hosts.Parse(req.URL.Host)
	if err != nil {
		return err
	}
	path, err := hosts.CanonicalPath(req.URL.EscapedPath())
	if err != nil {
		return err
	}
	s := &sender{host: host, path: path}
	p.Configure(p.Name(), secret, s)
	rules := s.rules
	if s.credential.Name != "" {
		rules.Credentials = []inject.Header{s.credential}
	}
	if err := rules.Check(); err != nil {
		return err
	}
	rules.Request(req)
	return nil
}

// sender is the rules for one request, of all that a provider does.
type sender struct {
	host hosts.Host
	path string // canonical

	rules      inject.Rules
	prefix     string        // of the paths that credential is for
	credential inject.Header // the one with the longest prefix so far
}

var _ providers.Configurer = (*sender)(nil)

func (s *sender) is(host string) bool {
	return host == s.host.String() || host == s.host.WithoutPort().String()
}

// SetCredential implements [credential.ProxyConfigurer], as do the others.
func (s *sender) SetCredential(host, value string) {
	s.SetPathCredential(host, "", "Authorization", value, "")
}

func (s *sender) SetCredentialHeader(host, name, value string) {
	s.SetPathCredential(host, "", name, value, "")
}

func (s *sender) SetCredentialWithGrant(host, name, value, grant string) {
	s.SetPathCredential(host, "", name, value, grant)
}

func (s *sender) SetPathCredential(host, prefix, name, value, grant string) {
	if s.is(host) && hosts.Below(s.path, prefix) && len(prefix) >= len(s.prefix) {
		s.prefix, s.credential = prefix, inject.Header{Name: name, Value: value, Grant: grant}
	}
}

func (s *sender) LendPathCredential(host, prefix, name, value, grant string) {
	s.SetPathCredential(host, prefix, name, value, grant)
}

func (s *sender) AddExtraHeader(host, name, value string) {
	if s.is(host) {
		s.rules.Extra = append(s.rules.Extra, inject.Header{Name: name, Value: value})
	}
}

func (s *sender) SetTokenSubstitution(host, placeholder, token string) {
	if s.is(host) {
		s.rules.Substitute = append(s.rules.Substitute, inject.Substitution{Placeholder: placeholder, Secret: token})
	}
}

func (s *sender) AddResponseTransformer(string, credential.ResponseTransformer) {} // nobody sees the answer

func (s *sender) AddTransformerKind(string, string) {}

func (s *sender) RemoveRequestHeader(string, string) {} // there is nothing of an agent's in it

func (s *sender) RemoveQueryParameter(string, string) {}
