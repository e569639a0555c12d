package cli_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What a run sees of an answer in which the origin says that the credential came.
const (
	gotA = `200 {"method":"GET","path":"/a","auth":true}`
	post = `200 {"method":"POST","path":"/a","body":"text","auth":true}`
)

// nodeCases are scripts that Node runs as modules of CommonJS, with what
// testdata/node/prelude.cjs defines, and what they print.
var nodeCases = []struct{ name, script, want string }{
	{"fetch https", `viaFetch(O + '/a').then(show)`, gotA},
	{"fetch http", `viaFetch(P + '/a').then(show)`, gotA},
	{"https.request", `viaModule(O + '/a').then(show)`, gotA},
	{"http.request", `viaModule(P + '/a').then(show)`, gotA},
	{"fetch of a Request", `viaFetch(new Request(P + '/a', { headers: { x: 'y' } })).then(show)`, gotA},
	{"POST with fetch over https", `viaFetch(O + '/a', { method: 'POST', body: 'text' }).then(show)`, post},
	{"POST with fetch over http", `viaFetch(P + '/a', { method: 'POST', body: 'text' }).then(show)`, post},
	{"POST with https.request", `viaModule(O + '/a', { method: 'POST' }, 'text').then(show)`, post},
	{"POST with http.request", `viaModule(P + '/a', { method: 'POST' }, 'text').then(show)`, post},
	{
		"headers in an array, which Node writes before the agent sees them",
		`viaModule(P + '/a', { headers: ['host', process.env.PLAIN, 'x', 'y'] }).then(show)`, gotA,
	},
	{
		"Expect: 100-continue", `viaModule(P + '/a', { method: 'POST', headers: { expect: '100-continue', 'content-length': 4 } }, 'text').then(show)`, post,
	},
	{"no agent", `viaModule(P + '/a', { agent: false }).then(show)`, gotA},
	{"an agent of its own", `viaModule(O + '/a', { agent: new (require('node:https').Agent)({ keepAlive: true }) }).then(show)`, gotA},
	{
		"two requests over https use one connection",
		`const agent = new (require('node:https').Agent)({ keepAlive: true, maxSockets: 1 });
		const ports = new Set();
		const once = () => new Promise((done) => require('node:https').get(O + '/a', { agent }, (res) => {
			ports.add(res.socket.localPort); res.resume(); res.on('end', () => setImmediate(done)); }));
		once().then(once).then(() => { console.log('connections', ports.size); agent.destroy(); })`,
		"connections 1",
	},
	{"two fetches, one after the other", `viaFetch(O + '/b').then(() => viaFetch(O + '/a')).then(show)`, gotA},
	{
		"50 fetches at once",
		`Promise.all(Array.from({ length: 50 }, (_, i) => viaFetch((i % 2 ? O : P) + '/a')))
			.then((all) => console.log(new Set(all.map((r) => r.text.trim())).size, all.every((r) => r.text.includes('"auth":true'))))`,
		"1 true",
	},
	{
		"a worker thread",
		`new (require('node:worker_threads').Worker)("fetch('" + O + "/a').then(async (r) => console.log(r.status, (await r.text()).trim()))", { eval: true })`, gotA,
	},
	{
		"a fetch that was put away and put in another's place",
		`const first = fetch; globalThis.fetch = function mine(...args) { return first(...args); };
		viaFetch(O + '/a').then(show).then(() => console.log(fetch.name))`,
		gotA + "\nmine",
	},
	{"an AbortSignal", `rejected(fetch(O + '/slow', { signal: AbortSignal.abort() }))`, "rejected This operation was aborted"},
	{"the proxy is asked for http on [::1]", `viaModule('http://[::1]:1/').then((r) => console.log(r.status, r.text.includes('[::1]')))`, "407 true"},
}

func TestNodeHook(t *testing.T) {
	n := newNode(t)
	for _, c := range nodeCases {
		t.Run(c.name, func(t *testing.T) {
			if got := n.run(t, nil, "-e", c.script); got != c.want {
				t.Errorf("node -e %s printed\n%s\nwant\n%s", c.script, got, c.want)
			}
		})
	}
}

// Errors end in promises and events: none may end the process.
func TestNodeHookFailures(t *testing.T) {
	n := newNode(t)
	for _, c := range []struct{ name, script, want string }{
		{"fetch over https of an answer that is cut", `rejected(viaFetch(O + '/cut'))`, "rejected"},
		{"fetch over http of an answer that is cut", `rejected(viaFetch(P + '/cut'))`, "rejected"},
		{"https.request of an answer that is cut", `rejected(viaModule(O + '/cut'))`, "rejected aborted"},
		{"http.request of an answer that is cut", `rejected(viaModule(P + '/cut'))`, "rejected aborted"},
		{"fetch from an origin that resets", `viaFetch(O + '/reset').then(show)`, "502 moat: "},
		{"https.request to an origin that resets", `viaModule(O + '/reset').then(show)`, "502 moat: "},
		{"a host that is refused, with fetch over https", `viaFetch('https://refused.test/').then(show)`, "403 moat: refused.test"},
		{"a host that is refused, with https.request", `viaModule('https://refused.test/').then(show)`, "403 moat: refused.test"},
		{"a host that is refused, with http.request", `viaModule('http://refused.test/').then(show)`, "407 moat: refused.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.run(t, nil, "-e", c.script)
			if first, _, _ := strings.Cut(got, "\n"); !strings.Contains(first, c.want) {
				t.Errorf("node -e %s printed\n%s\nwant a first line with\n%s", c.script, got, c.want)
			}
		})
	}
}

// The proxy of these is not there, or none at all.
func TestNodeHookWithoutProxy(t *testing.T) {
	n := newNode(t)
	for _, c := range []struct{ name, proxy, script, want string }{
		{"fetch over https", "http://u:p@127.0.0.1:1", `rejected(viaFetch(O))`, "rejected connect ECONNREFUSED 127.0.0.1:1"},
		{"fetch over http", "http://u:p@127.0.0.1:1", `rejected(viaFetch(P))`, "rejected connect ECONNREFUSED 127.0.0.1:1"},
		{"https.request", "http://u:p@127.0.0.1:1", `rejected(viaModule(O))`, "rejected connect ECONNREFUSED 127.0.0.1:1"},
		{"http.request", "http://u:p@127.0.0.1:1", `rejected(viaModule(P))`, "rejected connect ECONNREFUSED 127.0.0.1:1"},
		{"a variable that is no URL leaves Node as it is", "127.0.0.1:1", `viaFetch(P + '/a').then((r) => console.log(r.status))`, "200"},
		{"an empty variable leaves Node as it is", "", `viaFetch(P + '/a').then((r) => console.log(r.status))`, "200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.run(t, nil, "-e", "require('node:child_process').spawnSync(process.execPath, [...process.execArgv.slice(0, 2), '-e', process.argv[1]],"+
				" { stdio: 'inherit', env: { ...process.env, HTTPS_PROXY: process.argv[2] } })", c.script, c.proxy)
			if got != c.want {
				t.Errorf("node -e %s printed\n%s\nwant\n%s", c.script, got, c.want)
			}
		})
	}
}

func TestNodeHookAndTheUsersOptions(t *testing.T) {
	n := newNode(t)
	dir := filepath.Join(t.TempDir(), "with a space")
	mine, native := filepath.Join(dir, "mine.cjs"), filepath.Join(dir, "native.cjs")
	writeFile(t, mine, "globalThis.mine = 'kept'")
	writeFile(t, native, "Object.defineProperty(process, 'allowedNodeEnvironmentFlags', { value: new Set(['--use-env-proxy']) })")
	t.Run("what the user requires is required too", func(t *testing.T) {
		env := []string{`NODE_OPTIONS=--require "` + mine + `"`}
		if got := n.run(t, env, "-e", `viaFetch(O + '/a').then(show).then(() => console.log(mine))`); got != gotA+"\nkept" {
			t.Errorf("node printed %q, want the answer and kept", got)
		}
	})
	t.Run("a Node that knows NODE_USE_ENV_PROXY is left alone", func(t *testing.T) {
		env := []string{`NODE_OPTIONS=--require "` + native + `"`}
		script := `console.log(String(fetch).includes('dispatcher'), String(require('node:https').Agent.prototype.createConnection).includes('tunnel('))`
		if got := n.run(t, env, "-e", script); got != "false false" {
			t.Errorf("node printed %q, want false false: nothing of ours in fetch and https", got)
		}
	})
	t.Run("a module of ECMAScript", func(t *testing.T) {
		esm := filepath.Join(dir, "main.mjs")
		writeFile(t, esm, "import { get } from 'node:https';\nconst res = await fetch(O + '/a');\nshow({ status: res.status, text: await res.text() });\n"+
			"get(O + '/b', (r) => { console.log(r.statusCode); r.resume(); });\n")
		if got := n.run(t, nil, esm); got != gotA+"\n200" {
			t.Errorf("node main.mjs printed %q, want the answers of fetch and https.get", got)
		}
	})
}

// node runs Node below moat run.
type node struct {
	place
	origin  *origin
	prelude string
}

func newNode(t *testing.T) node {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node here")
	}
	o := startOrigin(t, nil)
	prelude, err := filepath.Abs(filepath.Join("testdata", "node", "prelude.cjs"))
	if err != nil {
		t.Fatal(err)
	}
	return node{newPlace(t, o), o, prelude}
}

// run returns what node prints; it must end with 0 and print no error.
func (n node) run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	args = append([]string{
		"run", "--policy", "strict", "--grant", "demo", "--allow", n.origin.secure, "--allow", n.origin.plain, "--",
		"node", "--require", n.prelude,
	}, args...)
	cmd := n.command(t, args...)
	cmd.Env = append(cmd.Env, "ORIGIN="+n.origin.secure, "PLAIN="+n.origin.plain)
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("node: %v\n%s", err, &stderr)
	}
	return strings.TrimSpace(string(out))
}
