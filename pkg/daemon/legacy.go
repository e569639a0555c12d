package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/moatd/moatd/pkg/internal/store"
)

// errDamaged reports a file of runs that cannot be read at all. The next write
// moves it aside and begins a new one.
var errDamaged = errors.New("the file of runs is damaged")

// legacyRecords returns the records of a file of JSON, in either form.
func legacyRecords(data []byte) ([]store.Record, error) {
	var file struct {
		Version int               `json:"version"`
		Runs    []json.RawMessage `json:"runs"`
	}
	into := any(&file)
	if bytes.HasPrefix(data, []byte{'['}) {
		into = &file.Runs
	}
	if err := json.Unmarshal(data, into); err != nil {
		return nil, fmt.Errorf("read the runs: %w: it is no JSON of runs", errDamaged)
	}
	if file.Version > 1 {
		return nil, fmt.Errorf("read the runs: the file has version %d, written by a newer program", file.Version)
	}
	recs := make([]store.Record, len(file.Runs))
	for i, val := range file.Runs {
		var id struct {
			RunID string `json:"run_id"`
		}
		_ = json.Unmarshal(val, &id) // what is no run is reported by decode, under its place in the file
		if recs[i] = (store.Record{ID: id.RunID, Val: val}); id.RunID == "" {
			recs[i].ID = fmt.Sprintf("number %d", i+1)
		}
	}
	return recs, nil
}
