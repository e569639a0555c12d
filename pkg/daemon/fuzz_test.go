package daemon

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: what is decoded is a run that can be registered, and its record
// decodes to the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"auth_token":"t","run_id":"a","grants":["github"],"registered_at":"2026-01-02T03:04:05Z","sealed":"AAAA"}`))
	f.Add([]byte(`{"auth_token":"t","run_id":"a","network_policy":"lax","aws_config":{"session_duration":1}}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"v":1,"auth_token":"t","run_id":"a","unkept":true}`))
	f.Fuzz(func(t *testing.T, val []byte) {
		rec, err := decode(val)
		if err != nil {
			return
		}
		rc, r := rec.run(nil), NewRegistry()
		r.restore(t.Context(), rc)
		if got, ok := r.Lookup(rec.AuthToken); !ok || got != rc {
			t.Fatalf("the run of %q is not live", val)
		}
		again, err := encode(rc, nil)
		if err != nil {
			t.Fatalf("encode(run of %q) = %v", val, err)
		}
		rec2, err := decode(again)
		if err != nil || rec2.Unkept != rec.Unkept {
			t.Fatalf("decode(%q) = unkept %t, %v; want unkept %t", again, rec2.Unkept, err, rec.Unkept)
		}
		if !rec.Unkept && !bytes.Equal(rec2.Sealed, rec.Sealed) {
			t.Errorf("the sealed rules of %q are lost in %q", val, again)
		}
		if d := cmp.Diff(mustJSON(t, rec.PersistedRun), mustJSON(t, rec2.PersistedRun)); d != "" {
			t.Errorf("decode, encode, decode (-once +twice):\n%s", d)
		}
	})
}

func mustJSON[T any](t *testing.T, v T) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// FuzzLegacyRecords: each record has an id that it can be kept under, and the
// file that made it is JSON.
func FuzzLegacyRecords(f *testing.F) {
	f.Add([]byte(`{"version":1,"runs":[{"auth_token":"t","run_id":"a"},7,null]}`))
	f.Add([]byte(`[{"auth_token":"t","run_id":"a"},{}]`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"runs":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		recs, err := legacyRecords(data)
		if err != nil && len(recs) > 0 {
			t.Errorf("legacyRecords(%q) = %d records and %v", data, len(recs), err)
		}
		if err == nil && !json.Valid(data) {
			t.Errorf("legacyRecords(%q) took what is no JSON", data)
		}
		for _, rec := range recs {
			if rec.ID == "" {
				t.Errorf("legacyRecords(%q) has a record without an id", data)
			}
			_, _ = decodeRecord(rec) // must not panic
		}
	})
}

// FuzzRegister: no body is an internal error, and no answer but a token's own
// repeats the secret.
func FuzzRegister(f *testing.F) {
	f.Add([]byte(`{"run_id":"a","auth_token":"t"}`))
	f.Add([]byte(`{"run_id":"a","credentials":[{"host":"h.example","header":"X-Key","value":"s3cret"}],"network_policy":"strict"}`))
	f.Add([]byte(`{"run_id":"a","network_allow":["*.*"],"grants":["github",""]}`))
	f.Add([]byte(`{"run_id":"a","token_substitutions":[{"host":"[::1]:1","placeholder":"P","real_token":"s3cret"}]}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := NewRegistry()
		s := New(Options{Registry: r, Persister: &RunPersister{registry: r, runs: new(memStore)}})
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/runs", bytes.NewReader(body))
		w := httptest.NewRecorder()
		s.routes().ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Errorf("POST %q = %d %s", body, w.Code, w.Body)
		}
		if (w.Code == http.StatusCreated) != (r.Count() == 1) {
			t.Errorf("POST %q = %d with %d runs live", body, w.Code, r.Count())
		}
		for _, rc := range r.List() {
			if rc.isDegraded() && !strings.Contains(string(body), "auth_token") {
				t.Errorf("POST %q made a run that is degraded: %s", body, reasons(rc.degraded()))
			}
		}
	})
}
