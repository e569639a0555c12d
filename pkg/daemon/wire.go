package daemon

import (
	"time"

	"github.com/moatd/moatd/pkg/config"
)

// RegisterRequest is the body of POST /v1/runs.
type RegisterRequest struct {
	RunID                string                   `json:"run_id"`               // 1 to 128 visible characters, unique among the runs
	AuthToken            string                   `json:"auth_token,omitempty"` // the token of a run that registers again; "" asks for a new one
	Credentials          []CredentialSpec         `json:"credentials,omitempty"`
	ExtraHeaders         []ExtraHeaderSpec        `json:"extra_headers,omitempty"`
	RemoveHeaders        []RemoveHeaderSpec       `json:"remove_headers,omitempty"`
	TokenSubstitutions   []TokenSubstitutionSpec  `json:"token_substitutions,omitempty"`
	MCPServers           []config.MCPServerConfig `json:"mcp_servers,omitempty"`
	NetworkPolicy        string                   `json:"network_policy,omitempty"` // "permissive", "strict", or "" for permissive
	NetworkAllow         []string                 `json:"network_allow,omitempty"`  // "host", "host:port", "*.domain", "*.domain:port"
	Grants               []string                 `json:"grants,omitempty"`         // the daemon finds their credentials
	AWSConfig            *AWSConfig               `json:"aws_config,omitempty"`
	ResponseTransformers []TransformerSpec        `json:"response_transformers,omitempty"`
}

// RegisterResponse is the answer to POST /v1/runs.
type RegisterResponse struct {
	AuthToken string `json:"auth_token"` // what the run shows to the proxy
	ProxyPort int    `json:"proxy_port"` // TCP port of the proxy, 1 to 65535
}

// UpdateRunRequest is the body of PATCH /v1/runs/{token}.
type UpdateRunRequest struct {
	ContainerID string `json:"container_id"`
}

// RunInfo is an element of the answer to GET /v1/runs. It has no token.
type RunInfo struct {
	RunID        string `json:"run_id"`
	ContainerID  string `json:"container_id,omitempty"`
	RegisteredAt string `json:"registered_at"` // RFC 3339
	// State is "ready", or "degraded" if a credential of the run is missing.
	State  string   `json:"state,omitempty"`
	Reason string   `json:"reason,omitempty"` // why the run is degraded
	Grants []string `json:"grants,omitempty"`
	// Credentials has the states of those of the run's grants that are not fresh.
	Credentials map[string]string `json:"credentials,omitempty"`
}

// CredentialInfo is an element of the answer to GET /v1/credentials: how the
// credential of a grant is that a run has. Times are in RFC 3339.
type CredentialInfo struct {
	Grant  string `json:"grant"`
	Stored string `json:"stored,omitempty"` // the name that it is stored under
	State  string `json:"state"`            // "fresh", "expiring", "failing" or "missing"
	Reason string `json:"reason,omitempty"` // why it is not fresh
	// Renewal is how it is renewed: "oauth2", "command", "github-app"; "" if it is not.
	Renewal     string     `json:"renewal,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	RefreshedAt *time.Time `json:"refreshed_at,omitempty"` // when its secret was made
	DueAt       *time.Time `json:"due_at,omitempty"`       // when it is renewed next
	LastUsedAt  *time.Time `json:"last_used_at,omitempty"` // since the daemon started
	LastStatus  int        `json:"last_upstream_status,omitempty"`
}

// The states of a run in [RunInfo].
const (
	StateReady    = "ready"
	StateDegraded = "degraded"
)

// HealthResponse is the answer to GET /v1/health.
type HealthResponse struct {
	PID         int    `json:"pid"`
	ProxyPort   int    `json:"proxy_port"`
	RunCount    int    `json:"run_count"`
	StartedAt   string `json:"started_at"` // RFC 3339
	Commit      string `json:"commit,omitempty"`
	RoutingPort int    `json:"routing_port,omitempty"` // 0: routes are not served
	Version     string `json:"version,omitempty"`
	// API is the highest version of the API that the daemon speaks; 0 stands
	// for a daemon from before the field, which speaks version 1.
	API int `json:"api,omitempty"`
	// APIMin is the lowest version of the API that the daemon speaks; 0 stands
	// for 1.
	APIMin int `json:"api_min,omitempty"`
	// Capabilities name what the daemon can do beyond the first version.
	Capabilities []string `json:"capabilities,omitempty"`
	Degraded     int      `json:"degraded,omitempty"` // runs without one of their credentials
	// Problems are what the user should know: a damaged database that was
	// moved aside, a provider that cannot be read.
	Problems []string `json:"problems,omitempty"`
	// Exe is the daemon's executable, and ExeChanged says that another file has
	// taken its place, as an upgrade does: a restart makes it count.
	Exe        string `json:"exe,omitempty"`
	ExeChanged bool   `json:"exe_changed,omitempty"`
	FDLimit    int    `json:"fd_limit,omitempty"` // how many file descriptors it may have open; 0: not known
	FDOpen     int    `json:"fd_open,omitempty"`  // how many it has; 0: not known
	// Key says where the key of the credentials is.
	Key *KeyInfo `json:"key,omitempty"`
}

// KeyInfo says where a key is; none of it is secret.
type KeyInfo struct {
	Source  string `json:"source,omitempty"`  // "file", "keyring" or "credentials"; "" while there is none
	ID      string `json:"id,omitempty"`      // tells one key from another, nothing else
	Problem string `json:"problem,omitempty"` // why it cannot be had now
}

// RekeyRequest is the body of POST /v1/rekey.
type RekeyRequest struct {
	To string `json:"to"` // where the new key goes: a source of KeyInfo, or "auto"
}

// RekeyResponse is the answer to POST /v1/rekey.
type RekeyResponse struct {
	From        KeyInfo  `json:"from"`
	To          KeyInfo  `json:"to"`
	Credentials int      `json:"credentials"`       // sealed with the new key, those of profiles included
	Skipped     []string `json:"skipped,omitempty"` // files that no key opens
}

// CredentialSpec is a header with a secret, for one host.
type CredentialSpec struct {
	Host   string `json:"host"`
	Header string `json:"header"`
	Value  string `json:"value"`
	Grant  string `json:"grant,omitempty"` // where it comes from, for the log
}

// ExtraHeaderSpec is a header that is merged into the requests for one host.
type ExtraHeaderSpec struct {
	Host       string `json:"host"`
	HeaderName string `json:"header_name"`
	Value      string `json:"value"`
}

// RemoveHeaderSpec is a header that is taken out of the requests for one host.
type RemoveHeaderSpec struct {
	Host       string `json:"host"`
	HeaderName string `json:"header_name"`
}

// TokenSubstitutionSpec is a placeholder that becomes a secret, on one host.
type TokenSubstitutionSpec struct {
	Host        string `json:"host"`
	Placeholder string `json:"placeholder"`
	RealToken   string `json:"real_token"`
}

// TransformerSpec names a transformer of the answers of one host.
type TransformerSpec struct {
	Host string `json:"host"`
	Kind string `json:"kind"` // "oauth-endpoint-workaround" or "response-scrub"
}

// AWSConfig says which role the run assumes.
type AWSConfig struct {
	RoleARN         string        `json:"role_arn"`
	Region          string        `json:"region"`
	SessionDuration time.Duration `json:"session_duration"` // nanoseconds on the wire
	ExternalID      string        `json:"external_id,omitempty"`
	// SourceProfile is the profile in the user's AWS files whose credentials
	// assume the role, "" for the default one, where there is no grant "aws".
	SourceProfile string `json:"source_profile,omitempty"`
}
