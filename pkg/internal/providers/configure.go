package providers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
)

// TrimSecret makes a secret of what was typed, piped or read from a file: white
// space around it, such as the final newline, is not part of it.
func TrimSecret(text string) credential.Secret {
	return credential.Secret(strings.TrimSpace(text))
}

// Check reports why the provider could not send secret: it is empty, or holds
// bytes other than ASCII from space to tilde, which could end the header or be
// changed on the way; with white space at its ends it is not what
// [TrimSecret] made; and one that is put into URLs may hold no white space and
// none of "/?#%&+". The error shows nothing of it but a position, from 1.
func (p *Provider) Check(secret credential.Secret) error {
	text := secret.Reveal()
	if text == "" {
		return errors.New("the secret is empty")
	}
	if i := strings.IndexFunc(text, notHeaderText); i >= 0 && !p.anyText {
		return fmt.Errorf("the secret holds a character that no header may hold, at position %d", i+1)
	}
	if text != strings.TrimSpace(text) {
		return errors.New("the secret has white space around it")
	}
	if i := strings.IndexAny(text, " /?#%&+"); i >= 0 && len(p.substitute) > 0 {
		return fmt.Errorf("the secret holds a character that would change the meaning of a URL, at position %d", i+1)
	}
	return nil
}

// notHeaderText is stricter than RFC 9110, section 5.5, which lets tabs and
// bytes over 0x7f pass: no token has them, and not all servers take them.
func notHeaderText(r rune) bool { return r < ' ' || r > '~' }

// A Configurer takes all that a provider may want: a [credential.ProxyConfigurer]
// with more of what is done to requests. Prefixes of paths are canonical, as
// package hosts has it.
type Configurer interface {
	credential.ProxyConfigurer
	// SetPathCredential sends headerName with headerValue, which holds a secret, to
	// host for the paths below prefix alone.
	SetPathCredential(host, prefix, headerName, headerValue, grant string)
	// LendPathCredential does so unless another grant is for these paths, or for
	// the whole host.
	LendPathCredential(host, prefix, headerName, headerValue, grant string)
	// RemoveQueryParameter takes a parameter out of the query of what the agent
	// sends to host.
	RemoveQueryParameter(host, name string)
	// AddTransformerKind lets a built-in transformer see the answers of host.
	AddTransformerKind(host, kind string)
}

// Configure sets what the provider does with secret in into, under the name of
// grant, whose scope says for which paths. The secret must have passed
// [Provider.Check], and the scope [Provider.CheckScope].
func (p *Provider) Configure(grant string, secret credential.Secret, into Configurer) {
	for _, r := range p.remove {
		into.RemoveRequestHeader(r.host, r.name)
	}
	for _, r := range p.query {
		into.RemoveQueryParameter(r.host, r.name)
	}
	for _, s := range p.substitute {
		into.SetTokenSubstitution(s.host, s.placeholder, secret.Reveal())
	}
	for _, h := range p.extra {
		into.AddExtraHeader(h.host, h.name, h.value)
	}
	for _, t := range p.kinds {
		into.AddTransformerKind(t.host, t.kind)
	}
	_, scope, _ := strings.Cut(grant, ":")
	for _, at := range p.places(scope) {
		value := at.value(secret.Reveal())
		switch {
		case at.prefix == "":
			into.SetCredentialWithGrant(at.host, at.header, value, grant)
		case at.lent:
			into.LendPathCredential(at.host, at.prefix, at.header, value, grant)
		default:
			into.SetPathCredential(at.host, at.prefix, at.header, value, grant)
		}
	}
}

// Forms returns each text under which the secret goes out, once: itself, the header
// values with it, and their base64 alone. A log must show none of them.
func (p *Provider) Forms(secret credential.Secret) []string {
	forms := []string{secret.Reveal()}
	add := func(form string) {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	for _, i := range p.inject {
		add(i.value(secret.Reveal()))
		if i.basicUser != "" {
			add(i.basic(secret.Reveal()))
		}
	}
	return forms
}
