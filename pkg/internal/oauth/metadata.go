package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A Resource is what a protected server says of itself (RFC 9728).
type Resource struct {
	ID      string   // the server that its tokens are for
	Servers []string // the issuers of its tokens; one at least
	Scopes  []string // nil if it names none
}

// A Server is what an authorization server says of itself (RFC 8414, or OpenID
// Connect Discovery).
type Server struct {
	Issuer      string
	AuthURL     string // "" if it offers no code flow
	TokenURL    string
	DeviceURL   string   // "" if it offers no device flow
	RegisterURL string   // "" if it registers no clients by itself
	Scopes      []string // nil if it names none
	ClientAuth  []string // ways for a client to show itself; ["client_secret_basic"] if it names none
	SaysIssuer  bool     // it names itself when it comes back from the browser (RFC 9207)
}

// ParseResource reads the metadata of the server at the URL server. What they are
// for must be that URL, or a part of it: whoever passed off the tokens of another
// would get them.
func ParseResource(data []byte, server string) (Resource, error) {
	var doc struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return Resource{}, errors.New("is no JSON of a protected resource")
	}
	if !covers(doc.Resource, server) {
		return Resource{}, fmt.Errorf("is of %q, and not of %s", doc.Resource, server)
	}
	if len(doc.Servers) == 0 {
		return Resource{}, errors.New("names no authorization server")
	}
	for _, s := range doc.Servers {
		if _, err := safeURL(s); err != nil {
			return Resource{}, fmt.Errorf("authorization server: %w", err)
		}
	}
	if err := checkScopes(doc.Scopes); err != nil {
		return Resource{}, err
	}
	return Resource{doc.Resource, doc.Servers, doc.Scopes}, nil
}

// covers reports whether the URL server is resource, or below it.
func covers(resource, server string) bool {
	r, err := safeURL(resource)
	if err != nil || r.RawQuery != "" {
		return false
	}
	s, err := safeURL(server)
	if err != nil || r.Scheme != s.Scheme || !strings.EqualFold(r.Host, s.Host) {
		return false
	}
	dir := strings.TrimSuffix(r.EscapedPath(), "/") + "/"
	return strings.HasPrefix(strings.TrimSuffix(s.EscapedPath(), "/")+"/", dir)
}

// ParseServer reads the metadata of the authorization server that is called
// issuer: they must say so themselves, and that PKCE with S256 is done.
func ParseServer(data []byte, issuer string) (Server, error) {
	var doc struct {
		Issuer     string   `json:"issuer"`
		Auth       string   `json:"authorization_endpoint"`
		Token      string   `json:"token_endpoint"`
		Device     string   `json:"device_authorization_endpoint"`
		Register   string   `json:"registration_endpoint"`
		Scopes     []string `json:"scopes_supported"`
		Challenges []string `json:"code_challenge_methods_supported"`
		ClientAuth []string `json:"token_endpoint_auth_methods_supported"`
		SaysIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return Server{}, errors.New("is no JSON of an authorization server")
	}
	if strings.TrimSuffix(doc.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
		return Server{}, fmt.Errorf("is of issuer %q, and not of %s", doc.Issuer, issuer)
	}
	if doc.Token == "" || doc.Auth == "" && doc.Device == "" {
		return Server{}, errors.New("names no endpoint to log in at, or none for tokens")
	}
	for _, u := range []string{doc.Auth, doc.Token, doc.Device, doc.Register} {
		if _, err := safeURL(u); u != "" && err != nil {
			return Server{}, err
		}
	}
	if doc.Auth != "" && !slices.Contains(doc.Challenges, "S256") {
		return Server{}, errors.New("does not say that it does PKCE with S256, without which a login could be stolen")
	}
	if len(doc.ClientAuth) == 0 {
		doc.ClientAuth = []string{authBasic} // RFC 8414, 2
	}
	return Server{doc.Issuer, doc.Auth, doc.Token, doc.Device, doc.Register, doc.Scopes, doc.ClientAuth, doc.SaysIssuer}, checkScopes(doc.Scopes)
}

const maxURL = 4 << 10 // bytes

// safeURL parses an absolute URL that secrets may be sent to: https, or of this
// machine.
func safeURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%.100q is no URL with a host, and without a user or a fragment", text)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("%.100q must be https", text)
	}
	return u, nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkScopes says which scope is none (RFC 6749, 3.3).
func checkScopes(scopes []string) error {
	for _, s := range scopes {
		if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' }) {
			return fmt.Errorf("%.100q is no scope: one has no spaces and no quotes", s)
		}
	}
	return nil
}

// resourceURLs returns where the metadata of a server may be that does not say
// where, the likelier first.
func resourceURLs(server *url.URL) []string {
	const root = "/.well-known/oauth-protected-resource"
	path := strings.TrimSuffix(server.EscapedPath(), "/")
	return slices.Compact([]string{at(server, root+path), at(server, root)})
}

// serverURLs returns where the metadata of an authorization server may be.
func serverURLs(issuer *url.URL) []string {
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	all := []string{
		at(issuer, "/.well-known/oauth-authorization-server"+path),
		at(issuer, "/.well-known/openid-configuration"+path),
	}
	if path != "" {
		all = append(all, at(issuer, path+"/.well-known/openid-configuration"))
	}
	return all
}

// at returns the URL of an escaped path on the host of u.
func at(u *url.URL, path string) string { return u.Scheme + "://" + u.Host + path }
