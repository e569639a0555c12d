package daemon

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/proxy"
)

// RunContext is one run: its token, its rules and its grants. It implements
// [credential.ProxyConfigurer].
//
// The exported fields are set before the run is registered and not written
// afterwards; later changes go through the methods, which are safe for
// concurrent use. The keys of the maps are "host" or "host:port".
type RunContext struct {
	RunID                string                                      `json:"run_id"`
	ContainerID          string                                      `json:"container_id,omitempty"`
	AuthToken            string                                      `json:"auth_token"`
	Credentials          map[string]CredentialEntry                  `json:"credentials"`
	ExtraHeaders         map[string][]ExtraHeaderEntry               `json:"extra_headers"`
	RemoveHeaders        map[string][]string                         `json:"remove_headers"`
	TokenSubstitutions   map[string]TokenSubstitutionEntry           `json:"token_substitutions"`
	ResponseTransformers map[string][]credential.ResponseTransformer `json:"-"`
	MCPServers           []config.MCPServerConfig                    `json:"mcp_servers,omitempty"`
	NetworkPolicy        string                                      `json:"network_policy,omitempty"`
	NetworkAllow         []string                                    `json:"network_allow,omitempty"`
	AWSConfig            *AWSConfig                                  `json:"aws_config,omitempty"`
	TransformerSpecs     []TransformerSpec                           `json:"transformer_specs,omitempty"`
	Grants               []string                                    `json:"grants,omitempty"`
	RegisteredAt         time.Time                                   `json:"registered_at"`

	newer      unknown // what a newer daemon has stored of it; see record
	newerRules unknown // and of those rules

	registry atomic.Pointer[Registry] // where it is registered, nil before

	equipping sync.Mutex   // held while the credentials of the grants are found
	equipped  atomic.Int64 // which refresh of the registry the grants have seen

	snap atomic.Pointer[proxy.RunContextData] // what requests see; nil before the run is registered

	mu            sync.RWMutex
	granted       *granted             // guarded by mu; what the grants set, nil for nothing
	missing       []proxy.MissingGrant // guarded by mu; the grants without a credential
	broken        error                // guarded by mu; why snap refuses every request, nil if it does not
	awsHandler    http.Handler         // guarded by mu; nil for none
	cancelRefresh context.CancelFunc   // guarded by mu; nil for none

	lost     error                    // guarded by mu; why the rules of a restored run are not to be had, nil if they are
	unopened []byte                   // guarded by mu; those rules as they are on disk, nil if they are open
	reopen   func() (ownRules, error) // guarded by mu; tries to have them, nil if they are open
}

// CredentialEntry is a header with a secret. It does not print its value.
type CredentialEntry struct {
	Name  string `json:"name"`  // of the header
	Value string `json:"value"` // secret
	Grant string `json:"grant"` // where it comes from, for the log
}

// ExtraHeaderEntry is a header that is merged into requests.
type ExtraHeaderEntry struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// TokenSubstitutionEntry is a placeholder and the secret that it becomes. It
// does not print the secret.
type TokenSubstitutionEntry struct {
	Placeholder string `json:"placeholder"`
	RealToken   string `json:"real_token"` // secret
}

// NewRunContext returns a run with no rules, whose policy is permissive.
func NewRunContext(runID string) *RunContext {
	base := newLayer()
	return &RunContext{
		RunID:                runID,
		Credentials:          base.credentials,
		ExtraHeaders:         base.extra,
		RemoveHeaders:        base.remove,
		TokenSubstitutions:   base.substitutions,
		ResponseTransformers: base.transformers,
		RegisteredAt:         time.Now(),
	}
}

// GetContainerID returns the id of the run's container, "" for none.
func (rc *RunContext) GetContainerID() string {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	return rc.ContainerID
}

func (rc *RunContext) setContainerID(id string) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.ContainerID = id
}

// SetAWSHandler sets the handler of the run's AWS credentials; nil for none.
func (rc *RunContext) SetAWSHandler(h http.Handler) {
	rc.change(func(*layer) { rc.awsHandler = h })
}

// SetRefreshCancel sets what [RunContext.CancelRefresh] calls.
func (rc *RunContext) SetRefreshCancel(cancel context.CancelFunc) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.cancelRefresh = cancel
}

// CancelRefresh ends the refresh of the run's tokens, if there is one. It may
// be called any number of times.
func (rc *RunContext) CancelRefresh() {
	rc.mu.Lock()
	cancel := rc.cancelRefresh
	rc.cancelRefresh = nil
	rc.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
