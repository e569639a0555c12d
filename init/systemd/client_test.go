//go:build e2e

package systemd_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A run is one that was registered over the API.
type run struct{ id, token string }

// A sight is one request as the origin saw it.
type sight struct{ Method, Path, Authorization string }

// call asks the API with curl, and fails t unless the answer has the wanted status.
func (m machine) call(t *testing.T, method, path, body, status string) string {
	t.Helper()
	args := []string{
		"curl", "-sS", "--max-time", "20", "--unix-socket", socketPath,
		"-X", method, "-w", "\n%{http_code}", "http://moatd" + path,
	}
	if body != "" {
		args = append(args, "-H", "Content-Type: application/json", "-d", body)
	}
	out := m.asUser(t, args...)
	cut := strings.LastIndexByte(out, '\n')
	if got := out[cut+1:]; got != status {
		t.Fatalf("%s %s: status %s, want %s: %s", method, path, got, status, out[:cut])
	}
	return out[:cut]
}

// pid returns the daemon's, as the daemon gives it. It starts the daemon if need be.
func (m machine) pid(t *testing.T) int {
	t.Helper()
	var health struct{ PID int }
	decode(t, m.call(t, "GET", "/v1/health", "", "200"), &health)
	return health.PID
}

// register makes a run that may reach the origin, with the grant for it, and
// takes it away when t is over.
func (m machine) register(t *testing.T, id string) run {
	t.Helper()
	body := fmt.Sprintf(`{"run_id": %q, "grants": ["demo"], "network_policy": "strict", "network_allow": ["localhost:8443"]}`, id)
	var answer struct {
		Token string `json:"auth_token"`
	}
	decode(t, m.call(t, "POST", "/v1/runs", body, "201"), &answer)
	t.Cleanup(func() { m.call(t, "DELETE", "/v1/runs/"+answer.Token, "", "204") })
	return run{id, answer.Token}
}

// fetch asks the origin for path as a program in r would: a new connection to the
// proxy, a CONNECT with the run's token, TLS that only the run trusts.
func (m machine) fetch(r run, path string) result {
	return m.tryAsUser("curl", "-sS", "--fail", "--max-time", "20", "--noproxy", "",
		"--proxy", "http://moat:"+r.token+"@127.0.0.1:19080",
		"--cacert", "/home/moat/.moat/ca/ca.crt", "https://localhost:8443"+path)
}

// works fails t unless a request of r is answered; when says after what.
func (m machine) works(t *testing.T, r run, when string) {
	t.Helper()
	if got := m.fetch(r, "/"); got.stdout != "hello\n" {
		t.Errorf("%s: request of %s: exit %d, answer %q: %s; want hello", when, r.id, got.code, got.stdout, got.stderr)
	}
}

// seen returns what the origin was asked for at path.
func (m machine) seen(t *testing.T, path string) []sight {
	t.Helper()
	var all []sight
	decode(t, m.asRoot(t, "curl", "-sS", "--cacert", originCert, "https://localhost:8443/seen"), &all)
	return slices.DeleteFunc(all, func(s sight) bool { return s.Path != path })
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("answer %q: %v", text, err)
	}
}
