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
	repo := served(t)
	o := startOrigin(t, onlyWithSecret(http.FileServer(http.Dir(repo))))
	p := newPlace(t, o)
	// A user's own settings for another proxy are not taken.
	writeFile(t, filepath.Join(filepath.Dir(p.home), ".gitconfig"), "[http]\n\tproxy = http://127.0.0.1:1\n\tsslCAInfo = /dev/null\n")
	writeFile(t, filepath.Join(filepath.Dir(p.home), ".npmrc"), "https-proxy=http://127.0.0.1:1\ncafile=/dev/null\nfetch-retries=0\nupdate-notifier=false\n")
	writeFile(t, filepath.Join(filepath.Dir(p.home), ".config", "pip", "pip.conf"), "[global]\nproxy = http://127.0.0.1:1\ncert = /dev/null\nretries = 0\n")
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
		{"wget", "wget", []string{"-q", "-O", "-", url}, "ref: refs/heads/"},
		{"npm", "npm", []string{"view", "demo", "version", "--registry", "https://" + o.secure + "/"}, "1.2.3"},
		{"pip", "pip", []string{"index", "versions", "demo", "--disable-pip-version-check", "--index-url", "https://" + o.secure + "/simple"}, "1.2.3"},
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

// served returns a directory to be served that is a repository of git's with a
// branch main, and has a package demo for npm and for pip.
func served(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo.git")
	id := strings.Repeat("1", 40)
	for path, text := range map[string]string{
		"HEAD":                   "ref: refs/heads/main\n",
		"info/refs":              id + "\trefs/heads/main\n",
		"demo":                   `{"name":"demo","dist-tags":{"latest":"1.2.3"},"versions":{"1.2.3":{"name":"demo","version":"1.2.3"}}}`,
		"simple/demo/index.html": `<a href="demo-1.2.3-py3-none-any.whl">demo-1.2.3-py3-none-any.whl</a>`,
	} {
		writeFile(t, filepath.Join(dir, path), text)
	}
	return dir
}
