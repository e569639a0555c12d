package proxy

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

var update = flag.Bool("update", false, "write the golden files")

// TestRefusals pins the texts that people and their agents meet.
func TestRefusals(t *testing.T) {
	spec := decideSpec(Strict)
	verdict := func(h Head) Verdict { return compile(t, spec).Decide(h) }
	api := Head{Scheme: "https", Target: host(t, "api.test:443")}
	misdirected, placeholder := api, api
	misdirected.Names = []Name{{"SNI", host(t, "evil.test")}}
	placeholder.Placeholder = true
	address := func(class hosts.Class) error {
		return &errAddress{host: "lan.test", addr: netip.MustParseAddr("10.0.0.9"), class: class}
	}
	for _, tt := range []struct {
		name string
		v    Verdict
	}{
		{"no token", challenge(errNoToken).verdict},
		{"unknown token", challenge(errUnknownToken).verdict},
		{"malformed", malformed(errForm)},
		{"network policy", verdict(Head{Scheme: "https", Target: host(t, "other.test:443")})},
		{"network policy, odd port", verdict(Head{Scheme: "https", Target: host(t, "[2001:db8::1]:8443")})},
		{"misdirected", verdict(misdirected)},
		{"placeholder", verdict(placeholder)},
		{"missing credential", verdict(Head{Scheme: "https", Target: host(t, "missing.test:443")})},
		{"broken rules", Refusing("run_1", errors.New("network policy \"open\"")).Decide(api)},
		{"cleartext", verdict(Head{Scheme: "http", Target: host(t, "api.test:80")})},
		{"private address", failure(host(t, "lan.test:443"), address(hosts.ClassPrivate))},
		{"metadata address", failure(host(t, "lan.test:443"), address(hosts.ClassMetadata))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := refusal{id: "req_0123456789abcdef", verdict: tt.v}
			r := httptest.NewRequest("GET", "/", nil)
			text, structured := httptest.NewRecorder(), httptest.NewRecorder()
			f.write(text, r)
			r.Header.Set("Accept", "application/json, text/plain")
			f.write(structured, r)
			var doc map[string]string
			if err := json.Unmarshal(structured.Body.Bytes(), &doc); err != nil || doc["code"] != tt.v.Reason || doc["request_id"] != f.id {
				t.Errorf("JSON = %s, %v", structured.Body, err)
			}
			golden(t, tt.name, fmt.Sprintf("%s\n\n%s", dump(text), structured.Body))
		})
	}
}

func dump(r *httptest.ResponseRecorder) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d %s\n", r.Code, http.StatusText(r.Code))
	_ = r.Header().Write(&s)
	return strings.ReplaceAll(s.String(), "\r\n", "\n") + "\n" + r.Body.String()
}

// golden compares got with testdata/name.txt, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.NewReplacer(" ", "-", ",", "").Replace(name)+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
