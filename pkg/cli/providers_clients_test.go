package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemontest"
)

// urlSafe is a secret that may stand in a path.
const urlSafe = "12345678:s3cr3t-token_of.a~bot"

// A city is a daemon for which servers of the test are the Internet, with the
// built-in providers as they are.
type city struct {
	*daemontest.Daemon

	t   *testing.T
	dir string // the user's home
}

// newCity returns a city that is not started.
func newCity(t *testing.T) *city {
	t.Helper()
	return &city{daemontest.New(t), t, t.TempDir()}
}

// moat returns moat run of a program with flags.
func (c *city) moat(flags []string, program string, args ...string) *exec.Cmd {
	c.t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		c.t.Skipf("there is no %s here", program)
	}
	all := append(append([]string{"run"}, flags...), "--", program)
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*patience)
	c.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "moat", append(all, args...)...)
	cmd.WaitDelay = time.Second
	cmd.Dir = c.dir
	cmd.Env = gitIdentity("HOME="+c.dir, "PATH="+os.Getenv("PATH"), "MOAT_HOME="+c.Settings.Home, "GORACE="+os.Getenv("GORACE"))
	return cmd
}

// run runs a program and returns what it prints; it must succeed, and show no
// secret.
func (c *city) run(flags []string, program string, args ...string) string {
	c.t.Helper()
	cmd := c.moat(flags, program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Errorf("moat run %q -- %s %q: %v\n%s%s", flags, program, args, err, out, &stderr)
	}
	c.checkText(program, string(out)+stderr.String())
	return string(out)
}

func (c *city) checkText(program, text string) {
	c.t.Helper()
	if form := leaked(text); form != "" || strings.Contains(text, urlSafe) {
		c.t.Errorf("%s printed the secret, %s", program, form)
	}
}

// TestGitUnderTheGitHubGrant clones, commits and pushes.
func TestGitUnderTheGitHubGrant(t *testing.T) {
	c := newCity(t)
	hosting, repo := gitHosting(t)
	c.Pretend(want("Authorization", basicAuth("x-access-token", secret), hosting), "github.com")
	c.Grant("github", secret)
	c.Grant("github:acme/app", secret)
	c.Grant("github:other/lib", "another-secret")
	c.Start()
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"the whole account", []string{"--grant", "github"}},
		{"one repository of two", []string{"--grant", "github:other/lib", "--grant", "github:acme/app", "--policy", "strict"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			script := fmt.Sprintf(`set -e
				git clone -q https://github.com/acme/app.git %[1]s && cd %[1]s
				cat README
				echo %[1]s > CHANGE && git add CHANGE && git commit -q -m %[1]s
				git push -q origin main
				git fetch -q && git status -sb`, strings.ReplaceAll(tt.name, " ", "-"))
			out := c.run(tt.flags, "sh", "-c", script)
			if !strings.Contains(out, "hello from acme") || !strings.Contains(out, "## main...origin/main\n") {
				t.Errorf("git said %q", out)
			}
			log, err := exec.Command("git", "-C", repo, "log", "-1", "--format=%s").Output()
			if got := strings.TrimSpace(string(log)); err != nil || got != strings.ReplaceAll(tt.name, " ", "-") {
				t.Errorf("the service has the commit %q, %v", got, err)
			}
		})
	}
	c.t = t
	cmd := c.moat([]string{"--grant", "github:other/lib"}, "git", "clone", "https://github.com/acme/app.git", "none")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "403") {
		t.Errorf("a clone with the grant of another repository: %v\n%s", err, out)
	}
}

// TestClientsUnderProviders runs clients that are told nothing but the placeholders
// of their environment.
func TestClientsUnderProviders(t *testing.T) {
	c := newCity(t)
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"login":"acme-robot","path":%q}`, r.URL.Path)
	})
	c.Pretend(want("Authorization", "Bearer "+secret, api), "api.github.com")
	c.Pretend(want("Authorization", "Bearer "+secret, npmRegistry(t)), "registry.npmjs.org")
	c.Pretend(want("Authorization", basicAuth("__token__", secret), pythonIndex(t)), "pypi.acme.example")
	c.Pretend(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bot"+urlSafe+"/getMe" {
			http.Error(w, `{"ok":false,"error_code":401}`, http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"ok":true,"result":{"username":"acme_bot"}}`)
	}), "api.telegram.org")
	c.Provider("pyindex", "name: pyindex\ninject: [{hosts: [pypi.acme.example], basic_user: __token__}]\n")
	for grant, s := range map[string]string{"github": secret, "npm": secret, "pyindex": secret, "telegram": urlSafe} {
		c.Grant(grant, s)
	}
	writeFile(t, filepath.Join(c.dir, ".npmrc"), "@acme:registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"+
		"update-notifier=false\nfund=false\naudit=false\nfetch-retries=0\n")
	writeFile(t, filepath.Join(c.dir, "package.json"), "{}")
	c.Start()
	const fetch = `fetch(process.argv[1]).then(async r => { console.log(r.status, await r.text()) })`
	for _, client := range []struct {
		name, grant, program string
		args                 []string
		want                 string
	}{
		{"curl with the token of gh", "github", "sh", []string{"-c", `curl -sS -H "Authorization: Bearer $GH_TOKEN" https://api.github.com/user`}, "acme-robot"},
		{"gh", "github", "gh", []string{"api", "user"}, "acme-robot"},
		{"npm install of a scoped package", "npm", "sh", []string{"-c", `npm install --silent @acme/app && node -p 'require("@acme/app")'`}, "hello from acme"},
		{"npm whoami", "npm", "npm", []string{"whoami"}, "acme-robot"},
		{"pip install", "pyindex", "sh", []string{"-c", `pip install -q --disable-pip-version-check --no-cache-dir --target py --index-url https://pypi.acme.example/simple acme-app && PYTHONPATH=py python3 -c 'import acme_app; print(acme_app.hello)'`}, "hello from acme"},
		{"node with the path of a bot", "telegram", "sh", []string{"-c", `node -e '` + fetch + `' https://api.telegram.org/bot$TELEGRAM_BOT_TOKEN/getMe`}, `200 {"ok":true,"result":{"username":"acme_bot"}}`},
		{"python with the path of a bot", "telegram", "python3", []string{"-c", "import os, urllib.request as u\nprint(u.urlopen('https://api.telegram.org/bot'+os.environ['TELEGRAM_BOT_TOKEN']+'/getMe').read())"}, "acme_bot"},
	} {
		t.Run(client.name, func(t *testing.T) {
			c.t = t
			for word := range strings.FieldsSeq(client.args[len(client.args)-1]) {
				if _, err := exec.LookPath(word); client.program == "sh" && err != nil && (word == "curl" || word == "npm" || word == "pip" || word == "node") {
					t.Skipf("there is no %s here", word)
				}
			}
			if out := c.run([]string{"--grant", client.grant}, client.program, client.args...); !strings.Contains(out, client.want) {
				t.Errorf("it printed %q, want %q in it", out, client.want)
			}
		})
	}
}

// nodeModules is where the SDKs for Node of the services are, "" for nowhere.
var nodeModules = os.Getenv("MOAT_TEST_NODE_MODULES")

// TestChatCompletionsStream asks models, which go on only when the client has
// shown what came first.
func TestChatCompletionsStream(t *testing.T) {
	const (
		anthropic = `-H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" https://api.anthropic.com/v1/messages`
		openai    = `-H "Authorization: Bearer $OPENAI_API_KEY" https://api.openai.com/v1/chat/completions`
		ask       = `curl -sSN -H "content-type: application/json" -d '{"model":"m","stream":true,"messages":[]}' `
		read      = `const r = await fetch(url, {method: 'POST', headers, body: '{"model":"m","stream":true,"messages":[]}'}); ` +
			`const d = new TextDecoder(); for await (const c of r.body) process.stdout.write(d.decode(c, {stream: true}))`
	)
	for _, tt := range []struct {
		name, grant, program string
		args                 []string
		sdk                  string // that must be there
		first, last          string // of what is printed
	}{
		{name: "curl, Anthropic", grant: "anthropic", program: "sh", args: []string{"-c", ask + anthropic}, first: "hello from", last: "message_stop"},
		{name: "curl, OpenAI", grant: "openai", program: "sh", args: []string{"-c", ask + openai}, first: "hello from", last: "[DONE]"},
		{name: "curl, Claude", grant: "claude", program: "sh", args: []string{"-c", strings.ReplaceAll(ask+anthropic, "x-api-key: $ANTHROPIC_API_KEY", "Authorization: Bearer $CLAUDE_CODE_OAUTH_TOKEN")}, first: "hello from", last: "message_stop"},
		{name: "fetch of Node, Anthropic", grant: "anthropic", program: "node", args: []string{"--input-type=module", "-e", `const url = 'https://api.anthropic.com/v1/messages', headers = {'x-api-key': process.env.ANTHROPIC_API_KEY}; ` + read}, first: "hello from", last: "message_stop"},
		{name: "fetch of Node, OpenAI", grant: "openai", program: "node", args: []string{"--input-type=module", "-e", `const url = 'https://api.openai.com/v1/chat/completions', headers = {authorization: 'Bearer ' + process.env.OPENAI_API_KEY}; ` + read}, first: "hello from", last: "[DONE]"},
		{name: "SDK of Anthropic", grant: "anthropic", program: "node", sdk: "@anthropic-ai/sdk", args: []string{"-e", `
			const Anthropic = require('@anthropic-ai/sdk');
			new Anthropic({maxRetries: 0}).messages.stream({model: 'm', max_tokens: 9, messages: [{role: 'user', content: 'hi'}]})
				.on('text', text => process.stdout.write(text)).finalMessage().then(m => console.log('|' + m.stop_reason))`}, first: "hello from", last: "hello from claude|end_turn"},
		{name: "SDK of OpenAI", grant: "openai", program: "node", sdk: "openai", args: []string{"-e", `
			const OpenAI = require('openai');
			(async () => {
				const s = await new OpenAI({maxRetries: 0}).chat.completions.create({model: 'm', stream: true, messages: [{role: 'user', content: 'hi'}]});
				for await (const chunk of s) process.stdout.write(chunk.choices[0].delta.content);
				console.log('|end');
			})()`}, first: "hello from", last: "hello from gpt|end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.sdk != "" {
				if _, err := os.Stat(filepath.Join(nodeModules, tt.sdk)); nodeModules == "" || err != nil {
					t.Skipf("there is no %s: npm install it, and set MOAT_TEST_NODE_MODULES to the directory node_modules", tt.sdk)
				}
			}
			c := newCity(t)
			claude, gpt := anthropicStream(), openaiStream()
			header, value := "X-Api-Key", secret
			if tt.grant == "claude" {
				header, value = "Authorization", "Bearer "+secret
			}
			c.Pretend(want(header, value, claude), "api.anthropic.com")
			c.Pretend(want("Authorization", "Bearer "+secret, gpt), "api.openai.com")
			c.Grant(tt.grant, secret)
			c.Start()
			cmd := c.moat([]string{"--grant", tt.grant}, tt.program, tt.args...)
			cmd.Env = append(cmd.Env, "NODE_PATH="+nodeModules)
			var stderr strings.Builder
			out := &shown{text: tt.first, then: func() { close(claude.goOn); close(gpt.goOn) }}
			cmd.Stdout, cmd.Stderr = out, &stderr
			err := cmd.Run()
			if got := out.String(); err != nil || !strings.Contains(got, tt.last) {
				t.Errorf("%v: it printed %q, want %q in it\n%s", err, got, tt.last, &stderr)
			}
			c.checkText(tt.program, out.String()+stderr.String())
		})
	}
}

// shown is an output that calls then once a text is in it. It is written by one
// goroutine.
type shown struct {
	have bytes.Buffer // not embedded: its ReadFrom would go around Write
	text string
	then func()
}

func (s *shown) String() string { return s.have.String() }

func (s *shown) Write(b []byte) (int, error) {
	n, err := s.have.Write(b)
	if s.then != nil && strings.Contains(s.String(), s.text) {
		s.then()
		s.then = nil
	}
	return n, err
}
