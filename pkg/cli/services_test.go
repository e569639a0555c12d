package cli_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Services that act like those of the built-in providers. Each answers only who
// has the secret, in the way that its service wants it; the agent has none.

// want lets those requests through whose header has the value.
func want(header, value string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Values(header); len(got) != 1 || got[0] != value {
			w.Header().Set("WWW-Authenticate", `Basic realm="service"`)
			http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// basicAuth is the value of Authorization for a user with a password.
func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// gitHosting serves the repository acme/app.git, with one commit, by git's own
// server, for fetches and pushes. It returns the repository's directory.
func gitHosting(t *testing.T) (http.Handler, string) {
	t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if err == nil {
		_, err = os.Stat(backend)
	}
	if err != nil {
		t.Skipf("there is no git-http-backend here: %v", err)
	}
	root := t.TempDir()
	repo, work := filepath.Join(root, "acme", "app.git"), filepath.Join(root, "work")
	writeFile(t, filepath.Join(work, "README"), "hello from acme\n")
	for _, args := range [][]string{
		{"init", "-q", "--bare", "-b", "main", repo},
		{"-C", repo, "config", "http.receivepack", "true"},
		{"-C", work, "init", "-q", "-b", "main"},
		{"-C", work, "add", "README"},
		{"-C", work, "commit", "-q", "-m", "first"},
		{"-C", work, "push", "-q", repo, "main"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Env = gitIdentity("HOME="+root, "PATH="+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	return &cgi.Handler{
		Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=agent"},
		Stderr: io.Discard,
	}, repo
}

// gitIdentity returns env with a name for commits.
func gitIdentity(env ...string) []string {
	return append(env, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
}

// npmRegistry serves the package @acme/app at version 1.2.3.
func npmRegistry(t *testing.T) http.Handler {
	t.Helper()
	tarball := npmPackage(t)
	sum := sha512.Sum512(tarball)
	doc, err := json.Marshal(map[string]any{
		"name": "@acme/app", "dist-tags": map[string]string{"latest": "1.2.3"},
		"versions": map[string]any{"1.2.3": map[string]any{
			"name": "@acme/app", "version": "1.2.3", "dist": map[string]string{
				"tarball":   "https://registry.npmjs.org/@acme/app/-/app-1.2.3.tgz",
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/@acme/app":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(doc)
		case "/@acme/app/-/app-1.2.3.tgz":
			_, _ = w.Write(tarball)
		case "/-/whoami":
			_, _ = io.WriteString(w, `{"username":"acme-robot"}`)
		default:
			http.NotFound(w, r)
		}
	})
}

func npmPackage(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	w := tar.NewWriter(zipped)
	for name, text := range map[string]string{
		"package/package.json": `{"name":"@acme/app","version":"1.2.3","main":"index.js"}`,
		"package/index.js":     `module.exports = "hello from acme"`,
	} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// pythonIndex serves the wheel acme-app at version 1.2.3.
func pythonIndex(t *testing.T) http.Handler {
	t.Helper()
	const wheel = "acme_app-1.2.3-py3-none-any.whl"
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, text := range map[string]string{
		"acme_app.py":                       "hello = 'hello from acme'\n",
		"acme_app-1.2.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-app\nVersion: 1.2.3\n",
		"acme_app-1.2.3.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"acme_app-1.2.3.dist-info/RECORD":   "acme_app.py,,\nacme_app-1.2.3.dist-info/METADATA,,\nacme_app-1.2.3.dist-info/WHEEL,,\nacme_app-1.2.3.dist-info/RECORD,,\n",
	} {
		part, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/simple/acme-app/":
			rw.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(rw, `<a href="/files/%s">%s</a>`, wheel, wheel)
		case "/files/" + wheel:
			_, _ = rw.Write(buf.Bytes())
		default:
			http.NotFound(rw, r)
		}
	})
}

// A stream is a chat completion as a model sends it: an event, a pause that lasts
// until the client has shown that event, and the rest.
type stream struct {
	first, rest string
	goOn        chan struct{} // closed once the client has shown the first event
}

func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !bytes.Contains(body, []byte(`"stream":true`)) {
		http.Error(w, `{"error":{"message":"this service streams"}}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, s.first)
	_ = http.NewResponseController(w).Flush()
	select {
	case <-s.goOn:
	case <-r.Context().Done():
		return // the client waits for more before it shows the first: it has no stream
	}
	_, _ = io.WriteString(w, s.rest)
}

// anthropicStream says "hello from claude".
func anthropicStream() *stream {
	return &stream{goOn: make(chan struct{}), first: sse(
		"message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}`,
		"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello from"}}`,
	), rest: sse(
		"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" claude"}}`,
		"content_block_stop", `{"type":"content_block_stop","index":0}`,
		"message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}`,
		"message_stop", `{"type":"message_stop"}`,
	)}
}

// openaiStream says "hello from gpt".
func openaiStream() *stream {
	chunk := func(text string) string {
		return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}`
	}
	return &stream{goOn: make(chan struct{}), first: sse("", chunk("hello from")), rest: sse("", chunk(" gpt"), "", "[DONE]")}
}

// sse writes events, each a name, "" for none, and its data.
func sse(events ...string) string {
	var b strings.Builder
	for i := 0; i < len(events); i += 2 {
		if events[i] != "" {
			b.WriteString("event: " + events[i] + "\n")
		}
		b.WriteString("data: " + events[i+1] + "\n\n")
	}
	return b.String()
}
