package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/moatd/moatd/pkg/config"
)

// PersistedRun is a run on disk. It has the names of grants and no provider's
// token; the run's own token, a random string that is worth nothing elsewhere,
// stands in it in clear, in a file of mode 0600.
type PersistedRun struct {
	AuthToken        string                   `json:"auth_token"`
	RunID            string                   `json:"run_id"`
	ContainerID      string                   `json:"container_id,omitempty"`
	Grants           []string                 `json:"grants,omitempty"`
	MCPServers       []config.MCPServerConfig `json:"mcp_servers,omitempty"`
	NetworkPolicy    string                   `json:"network_policy,omitempty"`
	NetworkAllow     []string                 `json:"network_allow,omitempty"`
	AWSConfig        *AWSConfig               `json:"aws_config,omitempty"`
	TransformerSpecs []TransformerSpec        `json:"transformer_specs,omitempty"`
}

// recordVersion is the version of a record; an older daemon's has a lower one.
const recordVersion = 1

// record is the value of a run in the database.
type record struct {
	V int `json:"v"`
	PersistedRun
	RegisteredAt time.Time `json:"registered_at"`
	// Sealed holds the rules that the run was registered with, as [ownRules],
	// if it has any. Only they can hold a secret.
	Sealed []byte `json:"sealed,omitempty"`
	// Unkept says that the run had rules of its own that could not be sealed,
	// and no grants to find them again by.
	Unkept bool `json:"unkept,omitempty"`
}

// ownRules are the exported maps of a run.
type ownRules struct {
	Credentials   map[string]CredentialEntry        `json:"credentials,omitempty"`
	ExtraHeaders  map[string][]ExtraHeaderEntry     `json:"extra_headers,omitempty"`
	RemoveHeaders map[string][]string               `json:"remove_headers,omitempty"`
	Substitutions map[string]TokenSubstitutionEntry `json:"token_substitutions,omitempty"`
}

func (o *ownRules) empty() bool {
	return len(o.Credentials)+len(o.ExtraHeaders)+len(o.RemoveHeaders)+len(o.Substitutions) == 0
}

// A Sealer encrypts what may hold a secret before it reaches the disk, bound to
// a name. It must be safe for concurrent use.
type Sealer interface {
	Seal(name string, plain []byte) ([]byte, error)
	Open(name string, sealed []byte) ([]byte, error)
}

var (
	errNoSealer = errors.New("the rules that it was registered with are sealed, and this daemon has no key")
	errUnkept   = errors.New("the credentials that it was registered with were not kept; register it again with its token")
)

// encode returns the record of rc. Without a sealer it leaves out what the run
// was registered with: secrets never reach the disk in clear.
func encode(rc *RunContext, s Sealer) ([]byte, error) {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	rec := record{V: recordVersion, PersistedRun: rc.persistedLocked(), RegisteredAt: rc.RegisteredAt}
	own := ownRules{rc.Credentials, rc.ExtraHeaders, rc.RemoveHeaders, rc.TokenSubstitutions}
	switch {
	case rc.unopened != nil:
		rec.Sealed = rc.unopened
	case own.empty():
	case s == nil:
		rec.Unkept = len(rc.Grants) == 0
	default:
		sealed, err := seal(s, rc.RunID, own)
		if err != nil {
			return nil, err
		}
		rec.Sealed = sealed
	}
	val, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("encode run %s: %v", rc.RunID, err)
	}
	return val, nil
}

func seal(s Sealer, runID string, own ownRules) ([]byte, error) {
	plain, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("encode the rules of run %s: %v", runID, err)
	}
	sealed, err := s.Seal(sealedName(runID), plain)
	if err != nil {
		return nil, fmt.Errorf("seal the rules of run %s: %w", runID, err)
	}
	return sealed, nil
}

// sealedName binds the sealed rules to their run.
func sealedName(runID string) string { return "run/" + runID }

func (rc *RunContext) persistedLocked() PersistedRun {
	return PersistedRun{
		AuthToken:        rc.AuthToken,
		RunID:            rc.RunID,
		ContainerID:      rc.ContainerID,
		Grants:           rc.Grants,
		MCPServers:       rc.MCPServers,
		NetworkPolicy:    rc.NetworkPolicy,
		NetworkAllow:     rc.NetworkAllow,
		AWSConfig:        rc.AWSConfig,
		TransformerSpecs: rc.TransformerSpecs,
	}
}

// decode reads a record; the error names no more of it than its version.
func decode(val []byte) (record, error) {
	var rec record
	if err := json.Unmarshal(val, &rec); err != nil {
		return rec, errors.New("the record is no JSON of a run")
	}
	if rec.V > recordVersion {
		return rec, fmt.Errorf("the record has version %d, written by a newer moatd", rec.V)
	}
	if rec.AuthToken == "" || rec.RunID == "" {
		return rec, errors.New("the record has no token or no run id")
	}
	return rec, nil
}

// run returns the run of a record, without the credentials of its grants. Where
// the rules of its own cannot be had, the run says so in lost, and refuses every
// request until it is registered again; its record keeps what it had.
func (rec *record) run(s Sealer) *RunContext {
	rc := NewRunContext(rec.RunID)
	rc.AuthToken, rc.ContainerID, rc.Grants = rec.AuthToken, rec.ContainerID, rec.Grants
	rc.MCPServers, rc.AWSConfig, rc.TransformerSpecs = rec.MCPServers, rec.AWSConfig, rec.TransformerSpecs
	rc.NetworkPolicy, rc.NetworkAllow = rec.NetworkPolicy, rec.NetworkAllow
	if !rec.RegisteredAt.IsZero() {
		rc.RegisteredAt = rec.RegisteredAt
	}
	own, err := rec.open(s)
	if err != nil {
		rc.lost, rc.unopened = err, rec.Sealed
		return rc
	}
	rc.Credentials, rc.ExtraHeaders = own.Credentials, own.ExtraHeaders
	rc.RemoveHeaders, rc.TokenSubstitutions = own.RemoveHeaders, own.Substitutions
	return rc
}

// open returns the rules that the run was registered with.
func (rec *record) open(s Sealer) (own ownRules, err error) {
	switch {
	case rec.Unkept:
		return own, errUnkept
	case len(rec.Sealed) == 0:
		return own, nil
	case s == nil:
		return own, errNoSealer
	}
	plain, err := s.Open(sealedName(rec.RunID), rec.Sealed)
	if err != nil {
		return own, fmt.Errorf("the rules that it was registered with do not open: %w", err)
	}
	if err := json.Unmarshal(plain, &own); err != nil {
		return own, errors.New("the rules that it was registered with do not decode")
	}
	return own, nil
}
