//go:build e2e

package systemd_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// testNoSecrets comes last: by now the daemon has been started, refused, killed,
// and made to dump its stacks.
func (m machine) testNoSecrets(t *testing.T) {
	r := m.register(t, "run_secrets")
	m.works(t, r, "after it was registered")
	m.asRoot(t, "journalctl", "--sync")
	journal := m.asRoot(t, "journalctl", "--all", "--output", "export", "--no-pager")
	files := m.asRoot(t, "sh", "-c", `cd / && tar -cf - home/moat run/user/1000 tmp var/tmp var/log dev/shm 2>/dev/null
		test $? -le 1`) // 1: a file, of the journal, changed meanwhile
	if !strings.Contains(journal, r.id) || !strings.Contains(files, "home/moat/.moat/") {
		t.Fatal("the journal or the files do not have what must be there; so the search means nothing")
	}
	for form, text := range forms(secret) {
		for where, all := range map[string]string{"journal": journal, "files": files} {
			if i := strings.Index(all, text); i >= 0 {
				t.Errorf("the secret is in the %s, %s, near %q", where, form, around(all, i))
			}
		}
	}
	if i := strings.Index(journal, r.token); i >= 0 {
		t.Errorf("a run's token is in the journal, near %q", around(journal, i))
	}
}

// forms returns what s looks like in the places where secrets turn up. In base64
// that depends on how many bytes stand before it.
func forms(s string) map[string]string {
	f := map[string]string{"in clear": s, "in a URL's query": url.QueryEscape(s), "in a URL's path": url.PathEscape(s)}
	for before, name := range []string{"in base64", "in base64 after one byte", "in base64 after two bytes"} {
		whole := base64.StdEncoding.EncodeToString([]byte("::"[:before] + s))
		f[name] = whole[4 : len(whole)-4] // the ends mix with the neighbours
		f[name+", URL alphabet"] = strings.NewReplacer("+", "-", "/", "_").Replace(f[name])
	}
	return f
}

func around(all string, i int) string {
	return all[max(0, i-200):i] + "…"
}
