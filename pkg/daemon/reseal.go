package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/store"
)

// SealAgain seals the rules that runs were registered with anew, with the key
// that the persister's sealer seals with now, in one step that survives a power
// cut. What neither of the sealer's keys opens stays as it is, and so does all
// else in the records, those of a newer daemon included.
// Runs whose rules could not be opened before have them from their next refresh on.
func (p *RunPersister) SealAgain(context.Context) error {
	for _, rc := range p.registry.List() { // or one that could not be opened would go on with what the old key sealed
		rc.regain(p.registry.seen)
	}
	p.saving.Lock()
	defer p.saving.Unlock()
	stored, err := p.runs.Runs()
	if err != nil {
		return err
	}
	vals := make(map[string][]byte, len(stored))
	for _, rec := range stored {
		if vals[rec.ID], err = sealAgain(p.sealer, rec); err != nil {
			return err
		}
	}
	return p.runs.ReplaceRuns(vals)
}

func sealAgain(s Sealer, rec store.Record) ([]byte, error) {
	all, sealed := sealedIn(rec.Val)
	if len(sealed) == 0 {
		return rec.Val, nil
	}
	plain, err := s.Open(sealedName(rec.ID), sealed)
	if errors.Is(err, credential.ErrWrongKey) || errors.Is(err, credential.ErrDamaged) {
		return rec.Val, nil
	}
	if err == nil {
		sealed, err = s.Seal(sealedName(rec.ID), plain)
	}
	if err == nil {
		all["sealed"], err = json.Marshal(sealed)
	}
	if err != nil {
		return nil, fmt.Errorf("seal the rules of run %s again: %w", rec.ID, err)
	}
	return json.Marshal(all)
}

// sealedIn returns the fields of a record, and what is sealed of it: nothing in
// what is no record.
func sealedIn(val []byte) (all map[string]json.RawMessage, sealed []byte) {
	if json.Unmarshal(val, &all) != nil || json.Unmarshal(all["sealed"], &sealed) != nil {
		return nil, nil
	}
	return all, sealed
}
