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

	rest kept // what Load found beside it, for RestoreRuns
}

// recordVersion is the version of a record; an older daemon's has a lower one.
const recordVersion = 1

// record is the value of a run in the database.
type record struct {
	V int `json:"v"`
	PersistedRun
	kept
}

// kept is what a record has beside the PersistedRun.
type kept struct {
	RegisteredAt time.Time `json:"registered_at"`
	// Sealed holds the rules that the run was registered with, as [ownRules],
	// if it has any. Only they can hold a secret.
	Sealed []byte `json:"sealed,omitempty"`
	// Unkept says that the run had rules of its own that could not be sealed,
	// and that its grants do not find again.
	Unkept bool `json:"unkept,omitempty"`

	Newer unknown `json:"-"` // what a newer daemon wrote beside all this
}

// encode returns the record of rc. Without a sealer it leaves out what the run
// was registered with: secrets never reach the disk in clear.
func encode(rc *RunContext, s Sealer) ([]byte, error) {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	rec := record{V: recordVersion, PersistedRun: rc.persistedLocked(), kept: kept{RegisteredAt: rc.RegisteredAt}}
	own := ownRules{rc.Credentials, rc.ExtraHeaders, rc.RemoveHeaders, rc.TokenSubstitutions, rc.newerRules}
	switch {
	case rc.lost != nil:
		rec.Sealed, rec.Unkept = rc.unopened, errors.Is(rc.lost, errUnkept)
	case own.empty():
	case s == nil:
		rec.Unkept = !own.foundBy(rc.Grants)
	default:
		sealed, err := seal(s, rc.RunID, own)
		if err != nil {
			return nil, err
		}
		rec.Sealed = sealed
	}
	val, err := json.Marshal(rec)
	if err == nil {
		val, err = rc.newer.join(val)
	}
	if err != nil {
		return nil, fmt.Errorf("encode run %s: %v", rc.RunID, err)
	}
	return val, nil
}

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
	rec.Newer = unknownIn[record](val)
	return rec, nil
}

// run returns the run of a record, without the credentials of its grants. Where
// the rules of its own cannot be had, the run says so in lost, and refuses every
// request until they can or it is registered again; its record keeps what it had.
func (rec *record) run(s Sealer) *RunContext {
	rc := NewRunContext(rec.RunID)
	rc.AuthToken, rc.ContainerID, rc.Grants = rec.AuthToken, rec.ContainerID, rec.Grants
	rc.MCPServers, rc.AWSConfig, rc.TransformerSpecs = rec.MCPServers, rec.AWSConfig, rec.TransformerSpecs
	rc.NetworkPolicy, rc.NetworkAllow, rc.newer = rec.NetworkPolicy, rec.NetworkAllow, rec.Newer
	if !rec.RegisteredAt.IsZero() {
		rc.RegisteredAt = rec.RegisteredAt
	}
	own, err := rec.open(s)
	if err != nil {
		sealed := *rec
		rc.lost, rc.unopened = err, rec.Sealed
		rc.reopen = func() (ownRules, error) { return sealed.open(s) }
		return rc
	}
	rc.setOwnLocked(own)
	return rc
}

// setOwnLocked gives rc the rules that it was registered with.
func (rc *RunContext) setOwnLocked(own ownRules) {
	rc.Credentials, rc.ExtraHeaders = own.Credentials, own.ExtraHeaders
	rc.RemoveHeaders, rc.TokenSubstitutions, rc.newerRules = own.RemoveHeaders, own.Substitutions, own.newer
}

// regain tries again to have the rules that a restored run was registered with:
// their key may have been locked then. It takes effect with the next snapshot.
func (rc *RunContext) regain(seen func(secret string)) {
	rc.mu.RLock()
	reopen := rc.reopen
	rc.mu.RUnlock()
	if reopen == nil {
		return
	}
	own, err := reopen()
	rc.mu.Lock()
	if rc.reopen != nil { // nobody else was first
		if rc.lost = err; err == nil {
			rc.unopened, rc.reopen = nil, nil
			rc.setOwnLocked(own)
		}
	}
	rc.mu.Unlock()
	rc.tell(seen)
}

// lostRules says why the rules of a restored run are not to be had, nil if they are.
func (rc *RunContext) lostRules() error {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	return rc.lost
}
