package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/internal/drain"
)

// attackToken is the token of the run that attacks; it is as long as a real one.
const attackToken = "9f3c1b7e5a2d4860b1c9e7f35d2a8b64"

// An attack is a way to move a credential to another host or past a rule: bytes
// that a client sends, and what must become of them.
type attack struct {
	name string
	to   string // target of a CONNECT, inside which raw is sent; "" means the proxy's port
	sni  string // "" means the name in to
	// raw is what is sent. TOKEN stands for the token of the run, and AUTH for
	// the header with it and its end of line.
	raw    string
	status int    // of the answer
	reason string // in X-Moat-Blocked; "" means that net/http's parser refused it
	// reads is what all origins read, for an attack that is disarmed rather than
	// refused: it may go on without what was bad in it.
	reads string
}

// An arena is a world whose origins record each byte that they read, and whose
// run has a secret of each kind.
type arena struct {
	*world
	passed  atomic.Int64 // requests that went out
	origins drain.Conns  // connections to them

	mu  sync.Mutex
	got map[string]*bytes.Buffer // guarded by mu; by the URL of the origin
}

// the secrets of an arena, by the host that each is for.
var attackSecrets = map[string]string{
	"api.test": "real-api", "sub.test": "real-sub", "mcp.test": "real-mcp", "parts.test/a": "real-part-a", "parts.test/b": "real-part-b",
}

func newArena(tb testing.TB) *arena {
	tb.Helper()
	a := &arena{world: newWorld(tb), got: map[string]*bytes.Buffer{}}
	out := a.proxy.forward.Transport
	a.proxy.forward.Transport = counted{out, &a.passed}
	for _, name := range []string{"api.test", "sub.test", "mcp.test", "parts.test", "evil.test"} {
		a.serve("https", name, 443)
		a.serve("https", name, 8443)
		a.serve("http", name, 80)
	}
	part := func(name string) *HostRules { return bearer(attackSecrets["parts.test/"+name]) }
	a.run(attackToken, RunSpec{
		RunID: "run_1",
		Hosts: map[string]*HostRules{
			"api.test":   bearer(attackSecrets["api.test"]),
			"sub.test":   {Substitute: []Substitution{{Placeholder: "PLACEHOLDER", Secret: attackSecrets["sub.test"], Grant: "sub"}}},
			"parts.test": {Parts: map[string]Part{"/a": {Rules: part("a")}, "/b": {Rules: part("b")}}},
		},
		Servers: []MCPServer{{Name: "mcp", URL: "https://mcp.test/v1", Grant: "mcp", Secret: attackSecrets["mcp.test"]}},
	})
	return a
}

// enter opens what an attack is sent over.
func (a *arena) enter(t *testing.T, to, sni string) *wire {
	t.Helper()
	c := a.dial()
	c.TB = t
	if to == "" {
		return c
	}
	c.send("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", to, to, attackAuth)
	if res := c.response("CONNECT"); res.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT %s: %s", to, res.Status)
	}
	if sni == "" {
		sni, _, _ = strings.Cut(to, ":")
	}
	secure := tls.Client(c.Conn, &tls.Config{ServerName: sni, RootCAs: poolOf(authorities().ours)})
	if err := secure.Handshake(); err != nil {
		t.Fatalf("handshake with %s in a tunnel to %s: %v", sni, to, err)
	}
	return &wire{t, secure, bufio.NewReader(secure)}
}

var attackAuth = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("moat:"+attackToken)) + "\r\n"

// bytes returns what the attack sends.
func (tt attack) bytes() string {
	return strings.NewReplacer("AUTH", attackAuth, "TOKEN", attackToken).Replace(tt.raw)
}

// attacks sends each attack over a connection of its own.
func (a *arena) attacks(t *testing.T, table []attack) {
	t.Helper()
	for _, tt := range table {
		t.Run(tt.name, func(t *testing.T) {
			dials := len(a.dialled())
			c := a.enter(t, tt.to, tt.sni)
			c.send("%s", tt.bytes())
			res := c.response("GET")
			_, _ = io.Copy(io.Discard, res.Body) // the probe tells whether it ended where it should
			got := a.take()
			if dialled := a.dialled()[dials:]; tt.reads == "" && (len(got) > 0 || len(dialled) > 0) {
				t.Errorf("origins read %q, and %v was dialled, want nothing", got, dialled)
			}
			if reason := res.Header.Get("X-Moat-Blocked"); res.StatusCode != tt.status || reason != tt.reason {
				t.Errorf("answer = %s, X-Moat-Blocked %q, want %d, %q", res.Status, reason, tt.status, tt.reason)
			}
			a.compare(t, tt, got)
			a.follow(t, c, tt, res)
		})
	}
}

// compare checks what was read where an attack may go on, disarmed, and that no
// secret was read by anyone else than its host.
func (a *arena) compare(t *testing.T, tt attack, got map[string]string) {
	t.Helper()
	var all strings.Builder
	for _, url := range slices.Sorted(maps.Keys(got)) {
		text := got[url]
		all.WriteString(url + " " + text)
		for owner, secret := range attackSecrets {
			name, _, _ := strings.Cut(owner, "/")
			if strings.Contains(text, secret) && !strings.HasPrefix(url, "https://"+name+":") {
				t.Errorf("%s read the secret of %s in %q", url, owner, text)
			}
		}
		if strings.Contains(text, attackToken) {
			t.Errorf("%s read the token of the run in %q", url, text)
		}
	}
	if tt.reads != "" && all.String() != tt.reads {
		t.Errorf("origins read\n%q, want\n%q", all.String(), tt.reads)
	}
}

// follow sends one request more where the connection is still open: its answer
// must be that to itself, not that to a request which was smuggled in before.
func (a *arena) follow(t *testing.T, c *wire, tt attack, res *http.Response) {
	t.Helper()
	if res.Close {
		_ = c.SetDeadline(time.Now().Add(patience))
		if rest, _ := io.ReadAll(c.in); len(rest) > 0 {
			t.Errorf("after the answer came %q, want the end of the connection", rest)
		}
		return
	}
	defer a.take() // the probe is not part of the next attack
	probe := "GET http://evil.test/probe HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n" + attackAuth + "\r\n"
	if tt.to != "" {
		probe = "GET /probe HTTP/1.1\r\nHost: " + strings.TrimSuffix(tt.to, ":443") + "\r\nConnection: close\r\n\r\n"
	}
	c.send("%s", probe)
	next := c.response("GET")
	read := next.Header.Get("X-Read")
	refused := next.StatusCode == http.StatusMisdirectedRequest || next.StatusCode == http.StatusForbidden // SNI, or a path
	if rest, _ := io.ReadAll(c.in); read != "/probe" && !refused || bytes.Contains(rest, []byte("HTTP/1.1")) {
		t.Errorf("the request after the attack was answered %s for %q, and %q came after it", next.Status, read, rest)
	}
}
