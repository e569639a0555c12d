package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

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

// foundBy reports whether the grants of a run find these rules again. A
// credential that names no grant is taken for one of theirs.
func (o *ownRules) foundBy(grants []string) bool {
	for _, c := range o.Credentials {
		if c.Grant != "" && !slices.Contains(grants, c.Grant) {
			return false
		}
	}
	return len(grants) > 0
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
