package cli_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealClients runs real clients, with no flag of their own that has to do
// with a proxy, a CA or a credential: the origin sees the credential.
func TestRealClients(t *testing.T) {
	repo := bareRepository(t)
	o := startOrigin(t, onlyWithSecret(http.FileServer(http.Dir(repo))))
	p := newPlace(t, o)
	url := "https://" + o.secure + "/HEAD"
	for _, client := range []struct {
		name, program string
		args          []string
		want          string // in what it prints
	}{
		{"curl", "curl", []string{"-sS", url}, "ref: refs/heads/"},
		{"curl over HTTP", "curl", []string{"-sS", "http://" + o.plain + "/HEAD"}, "ref: refs/heads/"},
		{"git ls-remote of a dumb HTTP repository", "git", []string{"ls-remote", "https://" + o.secure + "/"}, "refs/heads/main"},
		{"node fetch", "node", []string{"-e", `fetch(process.argv[1]).then(r => r.text()).then(console.log)`, url}, "ref: refs/heads/"},
		{"python3 urllib", "python3", []string{"-c", "import sys, urllib.request as u\nprint(u.urlopen(sys.argv[1]).read())", url}, "ref: refs/heads/"},
	} {
		t.Run(client.name, func(t *testing.T) {
			if _, err := exec.LookPath(client.program); err != nil {
				t.Skipf("there is no %s here", client.program)
			}
			args := append([]string{"run", "--grant", "demo", "--allow", o.secure, "--allow", o.plain, "--", client.program}, client.args...)
			cmd := p.command(t, args...)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), client.want) {
				t.Errorf("moat run -- %s %q = %q, %v; want %q in it\n%s", client.program, client.args, out, err, client.want, &stderr)
			}
			if form := leaked(string(out) + stderr.String()); form != "" {
				t.Errorf("%s printed the secret, %s", client.program, form)
			}
		})
	}
}

// onlyWithSecret challenges who does not have the secret.
func onlyWithSecret(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="origin"`)
			http.Error(w, "no credential", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bareRepository returns a directory that dumb HTTP can serve, with a branch
// main. Without git it has what the other clients ask for.
func bareRepository(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo.git")
	id := strings.Repeat("1", 40)
	for path, text := range map[string]string{
		"HEAD": "ref: refs/heads/main\n", "info/refs": id + "\trefs/heads/main\n",
	} {
		writeFile(t, filepath.Join(dir, path), text)
	}
	return dir
}
