package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/moatd/moatd/pkg/internal/store"
)

// runs stores the runs of an older program, all of them or none. A run that is
// there already is newer than the file.
func (im Import) runs(data []byte, done *Imported) error {
	found, err := legacyRecords(bytes.TrimSpace(data))
	if err != nil {
		return err
	}
	have, err := im.Runs.runs.Runs()
	if err != nil {
		return err
	}
	known := newKnown(have)
	for _, rec := range found {
		if err := known.add(rec); err != nil {
			done.Problems = append(done.Problems, fmt.Errorf("import run %s: %w", rec.ID, err))
		}
	}
	if known.added == 0 {
		return nil
	}
	if err := im.Runs.runs.ReplaceRuns(known.vals); err != nil {
		return err
	}
	done.Runs += known.added
	return nil
}

// known are the records of a store, to be, by id.
type known struct {
	vals   map[string][]byte
	tokens map[digest]string // the ids of the runs by their tokens
	added  int
}

func newKnown(recs []store.Record) *known {
	k := &known{vals: make(map[string][]byte), tokens: make(map[digest]string)}
	for _, r := range recs {
		k.vals[r.ID] = r.Val
		if rec, err := decode(r.Val); err == nil {
			k.tokens[digestOf(rec.AuthToken)] = r.ID
		}
	}
	return k
}

// add adds a record, unless the very run is there. The error says why it cannot.
func (k *known) add(r store.Record) error {
	rec, err := decodeRecord(r)
	if err != nil {
		return err
	}
	d := digestOf(rec.AuthToken)
	other, taken := k.tokens[d]
	_, exists := k.vals[r.ID]
	switch {
	case taken && other == r.ID:
		return nil
	case taken:
		return fmt.Errorf("its token belongs to %s", other)
	case exists:
		return fmt.Errorf("%w, with another token", ErrRunExists)
	}
	k.vals[r.ID], k.tokens[d] = r.Val, r.ID
	k.added++
	return nil
}

// routes hands the routes of an older program on.
func (im Import) routes(data []byte, done *Imported) error {
	agents, err := legacyRoutes(data)
	if err != nil {
		return err
	}
	for _, agent := range slices.Sorted(maps.Keys(agents)) {
		err := im.Routes(agent, agents[agent])
		switch {
		case errors.Is(err, ErrBadRequest):
			done.Problems = append(done.Problems, fmt.Errorf("import the routes of %.100q: %w", agent, err))
		case err != nil:
			return fmt.Errorf("the routes of %.100q: %w", agent, err)
		default:
			done.Agents++
		}
	}
	return nil
}

// legacyRoutes returns the addresses of the services of each agent, from either
// form: {"AGENT":{"SERVICE":"ADDRESS"}} or {"AGENT":{"services":{…}}}.
func legacyRoutes(data []byte) (map[string]map[string]string, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%w: it is no JSON of routes", errNonsense)
	}
	agents := make(map[string]map[string]string, len(file))
	for agent, val := range file {
		var plain map[string]string
		var nested struct {
			Services map[string]string `json:"services"`
		}
		if err := json.Unmarshal(val, &plain); err != nil {
			if err := json.Unmarshal(val, &nested); err != nil {
				return nil, fmt.Errorf("%w: the routes of %q are none", errNonsense, agent)
			}
			plain = nested.Services
		}
		agents[agent] = plain
	}
	return agents, nil
}
