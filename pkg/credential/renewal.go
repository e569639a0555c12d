package credential

import (
	"encoding/json"
	"slices"
)

// The kinds of a [Renewal].
const (
	RenewalOAuth2    = "oauth2"     // RefreshToken at TokenURL
	RenewalCommand   = "command"    // Command prints the next secret
	RenewalGitHubApp = "github-app" // PrivateKey signs for an installation token
	RenewalAWS       = "aws"        // the secret assumes a role
)

// ClientAuthBasic says that a client shows its id and secret in Authorization
// (client_secret_basic of RFC 7591).
const ClientAuthBasic = "basic"

// Renewal is what the next secret of a credential is made of. It is sealed with
// the credential and prints without its secrets. Which fields count depends on
// Kind; a kind that is not known here comes from a newer version.
type Renewal struct {
	Kind           string
	RefreshToken   Secret
	TokenURL       string
	ClientID       string
	ClientSecret   Secret
	ClientAuth     string // how the client shows itself at TokenURL: [ClientAuthBasic], or "" for in the body
	Scopes         []string
	Resource       string   // the server that the tokens are for (RFC 8707), "" for none: that of an MCP server
	Command        []string // program and arguments, without a shell
	AppID          string
	InstallationID string
	PrivateKey     Secret // PEM

	newer unknown
}

// size is the length of all the secrets, in bytes.
func (r *Renewal) size() int {
	if r == nil {
		return 0
	}
	return len(r.RefreshToken) + len(r.ClientSecret) + len(r.PrivateKey)
}

// clone returns a copy that shares no memory with r; of nil, nil.
func (r *Renewal) clone() *Renewal {
	if r == nil {
		return nil
	}
	c := *r
	c.Scopes, c.Command = slices.Clone(r.Scopes), slices.Clone(r.Command)
	return &c
}

// public returns a copy without secrets; of nil, nil.
func (r *Renewal) public() *Renewal {
	c := r.clone()
	if c != nil {
		c.RefreshToken, c.ClientSecret, c.PrivateKey, c.newer = "", "", "", nil
	}
	return c
}

func (r *Renewal) equal(s *Renewal) bool {
	if r == nil || s == nil {
		return r == s
	}
	return r.Kind == s.Kind && r.TokenURL == s.TokenURL && r.ClientID == s.ClientID && r.AppID == s.AppID &&
		r.ClientAuth == s.ClientAuth && r.Resource == s.Resource &&
		r.InstallationID == s.InstallationID && slices.Equal(r.Scopes, s.Scopes) && slices.Equal(r.Command, s.Command) &&
		r.RefreshToken.Equal(s.RefreshToken) && r.ClientSecret.Equal(s.ClientSecret) && r.PrivateKey.Equal(s.PrivateKey)
}

// renewalRecord is a Renewal inside a record.
type renewalRecord struct {
	Kind           string   `json:"kind"`
	RefreshToken   []byte   `json:"refresh_token,omitempty"`
	TokenURL       string   `json:"token_url,omitempty"`
	ClientID       string   `json:"client_id,omitempty"`
	ClientSecret   []byte   `json:"client_secret,omitempty"`
	ClientAuth     string   `json:"client_auth,omitempty"`
	Scopes         []string `json:"scopes,omitempty"`
	Resource       string   `json:"resource,omitempty"`
	Command        []string `json:"command,omitempty"`
	AppID          string   `json:"app_id,omitempty"`
	InstallationID string   `json:"installation_id,omitempty"`
	PrivateKey     []byte   `json:"private_key,omitempty"`
}

// encode returns the JSON of r, nil for nil.
func (r *Renewal) encode() (json.RawMessage, error) {
	if r == nil {
		return nil, nil
	}
	val, err := json.Marshal(renewalRecord{
		Kind: r.Kind, RefreshToken: []byte(r.RefreshToken), TokenURL: r.TokenURL, ClientID: r.ClientID,
		ClientSecret: []byte(r.ClientSecret), ClientAuth: r.ClientAuth, Scopes: r.Scopes, Resource: r.Resource, Command: r.Command, AppID: r.AppID,
		InstallationID: r.InstallationID, PrivateKey: []byte(r.PrivateKey),
	})
	if err != nil {
		return nil, err
	}
	return r.newer.join(val)
}

func decodeRenewal(val json.RawMessage) (*Renewal, error) {
	if len(val) == 0 {
		return nil, nil // a credential without one
	}
	var r renewalRecord
	if err := json.Unmarshal(val, &r); err != nil {
		return nil, err
	}
	return &Renewal{
		Kind: r.Kind, RefreshToken: Secret(r.RefreshToken), TokenURL: r.TokenURL, ClientID: r.ClientID,
		ClientSecret: Secret(r.ClientSecret), ClientAuth: r.ClientAuth, Scopes: r.Scopes, Resource: r.Resource, Command: r.Command, AppID: r.AppID,
		InstallationID: r.InstallationID, PrivateKey: Secret(r.PrivateKey), newer: unknownIn[renewalRecord](val),
	}, nil
}
