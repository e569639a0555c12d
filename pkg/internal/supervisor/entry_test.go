package supervisor

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// Property: whatever the journal prints, parseEntry does not panic, and what it
// makes of it can be written as JSON.
func FuzzParseEntry(f *testing.F) {
	for _, line := range []string{
		`{"MESSAGE":"a","PRIORITY":"3","MOAT_RUN_ID":"r"}`, `{"MESSAGE":[1,2]}`, `{"MESSAGE":["a",1]}`, `{"MESSAGE":[1,"a"]}`, `{"MOAT_":null}`,
		`{"MESSAGE":[],"__REALTIME_TIMESTAMP":"99999999999999999999"}`, `[]`, `{"MESSAGE":[[["a"]]]}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := parseEntry(line)
		if err != nil {
			return
		}
		if !utf8.ValidString(e.Message) {
			t.Errorf("parseEntry(%q).Message = %q, which is no text", line, e.Message)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("parseEntry(%q) = %+v, which is no JSON: %v", line, e, err)
		}
	})
}
