package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const relayToken = "f00df00df00df00d"

func linear() MCPServer {
	return MCPServer{Name: "linear", URL: "https://mcp.test/mcp", Grant: "mcp:linear", Secret: "s3cret"}
}

// relayWorld is a world with an MCP server at https://mcp.test.
func relayWorld(tb testing.TB, origin http.HandlerFunc, servers ...MCPServer) *world {
	tb.Helper()
	w := newWorld(tb)
	w.origin("mcp.test", origin)
	if servers == nil {
		servers = []MCPServer{linear()}
	}
	w.both(RunSpec{RunID: "r", Policy: Strict, Servers: servers})
	return w
}

// both makes spec what the run is, under the token of its relay and that of
// its client of the proxy.
func (w *world) both(spec RunSpec) {
	w.Helper()
	w.run(relayToken, spec)
	w.run("tok", spec)
}

// straight is a client that does not know of a proxy and follows no redirect.
func (w *world) straight() *http.Client {
	tr := &http.Transport{DisableCompression: true}
	w.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: 2 * patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// at returns the URL of a path on the proxy's own port.
func (w *world) at(path string) string { return "http://" + w.addr + path }

// relayed returns the URL of the server by the name, and what goes on below it.
func (w *world) relayed(server, rest string) string {
	return w.at("/mcp/" + relayToken + "/" + server + rest)
}

// asked answers with the request line and the host that the server sees.
func asked(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%s %s%s", r.Method, r.Host, r.RequestURI)
}

func TestRelayPaths(t *testing.T) {
	for _, tt := range []struct {
		name, server, rest, want string
	}{
		{"the server itself", "https://mcp.test/mcp", "", "/mcp"},
		{"below it", "https://mcp.test/mcp", "/a/b", "/mcp/a/b"},
		{"with a slash at the end", "https://mcp.test/mcp", "/", "/mcp/"},
		{"a server with a slash at the end", "https://mcp.test/mcp/", "", "/mcp/"},
		{"and below that", "https://mcp.test/mcp/", "/a", "/mcp/a"},
		{"a server without a path", "https://mcp.test", "", "/"},
		{"and below that", "https://mcp.test", "/sse", "/sse"},
		{"a query", "https://mcp.test/mcp", "?a=1&b=%2F;c", "/mcp?a=1&b=%2F;c"},
		{"a query after that of the server", "https://mcp.test/mcp?v=2", "/x?a=1", "/mcp/x?v=2&a=1"},
		{"that of the server alone", "https://mcp.test/mcp?v=2", "", "/mcp?v=2"},
		{"escapes stay as they are", "https://mcp.test/m%63p", "/a%2Fb/%C3%A4", "/m%63p/a%2Fb/%C3%A4"},
		{"the port of the scheme is not repeated", "https://MCP.test.:443/mcp", "", "/mcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := linear()
			s.URL = tt.server
			w := relayWorld(t, asked, s)
			get(t, w.straight(), w.relayed("linear", tt.rest)).want(t, 200, "GET mcp.test"+tt.want)
		})
	}
}

func TestRelayRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		status     int
		want       string
	}{
		{"no server", "/mcp/" + relayToken, 400, "/mcp/TOKEN/SERVER"},
		{"an empty name", "/mcp/" + relayToken + "/", 400, "/mcp/TOKEN/SERVER"},
		{"no token", "/mcp//linear", 400, "/mcp/TOKEN/SERVER"},
		{"a name that no server can have", "/mcp/" + relayToken + "/%2e%2e/x", 400, "/mcp/TOKEN/SERVER"},
		{"a token that no run has", "/mcp/0000/linear", 403, "no run has this proxy token"},
		{"a server that the run does not have", "/mcp/" + relayToken + "/notion", 404, `this run has no MCP server "notion"`},
		{"a name in another case", "/mcp/" + relayToken + "/Linear", 404, "no MCP server"},
		{"dot segments", "/mcp/" + relayToken + "/linear/../admin", 400, "dot segments"},
		{"escaped dot segments", "/mcp/" + relayToken + "/linear/a/%2E%2e/b", 400, "dot segments"},
		{"with an escaped slash", "/mcp/" + relayToken + "/linear/..%2fadmin", 400, "dot segments"},
		{"with a backslash", "/mcp/" + relayToken + "/linear/..%5cadmin", 400, "dot segments"},
		{"with a parameter", "/mcp/" + relayToken + "/linear/..;x/admin", 400, "dot segments"},
		{"the token in what is for the server", "/mcp/" + relayToken + "/linear/" + relayToken, 400, "token of the run"},
		{"the token in the query, escaped", "/mcp/" + relayToken + "/linear?a=%66" + relayToken[1:], 400, "token of the run"},
		{"a path that is not ours", "/mcpx/" + relayToken + "/linear", 407, "Proxy-Authorization"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := relayWorld(t, func(http.ResponseWriter, *http.Request) { t.Errorf("the server was asked") })
			a := w.dial().ask("GET %s HTTP/1.1\r\nHost: proxy\r\n\r\n", tt.path)
			a.want(t, tt.status, tt.want)
			if strings.Contains(a.text, relayToken) {
				t.Errorf("the answer %q has the token", a.text)
			}
			if got := w.dialled(); got != nil {
				t.Errorf("dialled %v, want nothing", got)
			}
		})
	}
}

func TestRelayedCredential(t *testing.T) {
	key := linear()
	key.Header, key.Secret = "X-Api-Key", "k3y"
	scheme := linear()
	scheme.Secret = "Basic dTpw"
	open := MCPServer{Name: "linear", URL: "https://mcp.test/mcp"}
	for _, tt := range []struct {
		name   string
		server MCPServer
		sent   []string // headers, name and value in turn
		want   string   // Authorization and X-Api-Key, as the server gets them
	}{
		{"no header of the agent's", linear(), nil, `["Bearer s3cret"] []`},
		{"its stub", linear(), []string{"Authorization", "Bearer moat-stub-mcp:linear"}, `["Bearer s3cret"] []`},
		{"a credential of the agent's own", linear(), []string{"Authorization", "Bearer mine"}, `["Bearer s3cret"] []`},
		{"two of them, in any case", linear(), []string{"authorization", "a", "AUTHORIZATION", "b"}, `["Bearer s3cret"] []`},
		{"a secret with a scheme", scheme, nil, `["Basic dTpw"] []`},
		{"another header, as it is", key, []string{"x-api-key", "moat-stub-mcp:linear"}, `[] ["k3y"]`},
		{"another header: the agent's Authorization goes no further", key, []string{"Authorization", "Bearer mine"}, `[] ["k3y"]`},
		{"a server that asks for none", open, []string{"Authorization", "Bearer mine", "X-Api-Key", "x"}, `[] ["x"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := relayWorld(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprintf(w, "%q %q", r.Header.Values("Authorization"), r.Header.Values("X-Api-Key"))
			}, tt.server)
			get(t, w.straight(), w.relayed("linear", ""), tt.sent...).want(t, 200, tt.want)
		})
	}
}

// TestTokenStaysHere sends the token wherever a client or a relay before ours
// might put it.
func TestTokenStaysHere(t *testing.T) {
	got := make(chan string, 1)
	w := relayWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		var all strings.Builder
		_ = r.Write(&all)
		got <- all.String()
	})
	path := "/mcp/" + relayToken + "/linear"
	get(t, w.straight(), w.relayed("linear", "?q=1"),
		"Referer", w.at(path), "Origin", "http://"+w.addr, "Forwarded", "for=x;path="+path, "Cookie", "session=local",
		"X-Forwarded-For", "10.0.0.1", "X-Forwarded-Host", "proxy", "X-Forwarded-Uri", path, "X-Forwarded-Port", "19080",
		"X-Original-Url", "http://proxy"+path, "X-Escaped", "%66"+relayToken[1:], "Proxy-Authorization", "Bearer "+relayToken,
		"Mcp-Session-Id", "abc", "Mcp-Protocol-Version", "2025-06-18", "Last-Event-Id", "7").want(t, 200, "")
	request := receive(t, "the request", got)
	if strings.Contains(request, relayToken) || strings.Contains(request, relayToken[1:]) {
		t.Errorf("the server gets %q, with the token", request)
	}
	for _, header := range []string{"Referer", "Origin", "Forwarded", "Cookie", "X-Forwarded", "X-Original-Url", "Proxy-"} {
		if strings.Contains(request, "\n"+header) {
			t.Errorf("the server gets %q, want no %s", request, header)
		}
	}
	for _, line := range []string{"Mcp-Session-Id: abc", "Mcp-Protocol-Version: 2025-06-18", "Last-Event-Id: 7"} {
		if !strings.Contains(request, line+"\r\n") {
			t.Errorf("the server gets %q, want %q in it", request, line)
		}
	}
	line := w.line()
	if text, err := line.String(); err != nil || strings.Contains(text, relayToken) || line.Data["rule"] != "mcp linear" || line.Data["grant"] != "mcp:linear" {
		t.Errorf("log = %q, %v; want the rule, the grant and no token", text, err)
	}
}

func TestRelayMethods(t *testing.T) {
	w := relayWorld(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Mcp-Session-Id", "new")
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, body)
	})
	for _, method := range []string{"POST", "DELETE", "GET", "OPTIONS"} {
		req, err := http.NewRequestWithContext(t.Context(), method, w.relayed("linear", ""), strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		a := do(t, w.straight(), req)
		a.want(t, 200, method+" hello")
		if a.Header.Get("Mcp-Session-Id") != "new" || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("header = %v, want the session id and no cookie", a.Header)
		}
	}
	w.dial().ask("TRACE /mcp/%s/linear HTTP/1.1\r\nHost: x\r\n\r\n", relayToken).want(t, 400, "TRACE")
}

// TestRelayStreams posts a request whose pieces wait for the events that answer
// the ones before.
func TestRelayStreams(t *testing.T) {
	w := relayWorld(t, func(w http.ResponseWriter, r *http.Request) {
		flush := http.NewResponseController(w)
		_ = flush.EnableFullDuplex()
		w.Header().Set("Content-Type", "text/event-stream")
		_ = flush.Flush()
		piece := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r.Body, piece); err != nil {
				return
			}
			_, _ = fmt.Fprintf(w, "data: %s\n\n", piece)
			_ = flush.Flush()
		}
	})
	body, pieces := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.relayed("linear", ""), body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.straight().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, piece := range []string{"a", "b", "c"} {
		if _, err := io.WriteString(pieces, piece); err != nil {
			t.Fatal(err)
		}
		want := "data: " + piece + "\n\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
			t.Fatalf("event = %q, %v, want %q", got, err, want)
		}
	}
	_ = pieces.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
		t.Errorf("after the end of the request: %q, %v", rest, err)
	}
}

func TestRelayRedirects(t *testing.T) {
	prefix := "/mcp/" + relayToken + "/linear"
	for _, tt := range []struct {
		name, server, location, want string
	}{
		{"to another host: as it is", "https://mcp.test/mcp", "https://evil.test/mcp/x", "https://evil.test/mcp/x"},
		{"within the server", "https://mcp.test/mcp", "https://mcp.test/mcp/next?a=1#f", prefix + "/next?a=1#f"},
		{"within it, in another spelling", "https://mcp.test/mcp", "https://MCP.test:443/mcp/next", prefix + "/next"},
		{"to itself", "https://mcp.test/mcp", "https://mcp.test/mcp", prefix},
		{"by a path", "https://mcp.test/mcp", "/mcp/next", prefix + "/next"},
		{"by a relative path", "https://mcp.test/mcp/", "next", prefix + "/next"},
		{"of a server without a path", "https://mcp.test", "/a", prefix + "/a"},
		{"the query of the server is not repeated", "https://mcp.test/mcp?v=2", "/mcp/a?v=2&b=1", prefix + "/a?b=1"},
		{"to the host, outside the server", "https://mcp.test/mcp", "/mcpx", "https://mcp.test/mcpx"},
		{"to another scheme", "https://mcp.test/mcp", "http://mcp.test/mcp", "http://mcp.test/mcp"},
		{"to another port", "https://mcp.test/mcp", "https://mcp.test:444/mcp", "https://mcp.test:444/mcp"},
		{"with a user in it", "https://mcp.test/mcp", "https://u@mcp.test/mcp", "https://u@mcp.test/mcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := linear()
			s.URL = tt.server
			hits := 0
			w := relayWorld(t, func(w http.ResponseWriter, _ *http.Request) {
				hits++
				w.Header().Set("Location", tt.location)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}, s)
			w.origin("evil.test", func(http.ResponseWriter, *http.Request) { t.Errorf("the redirect was followed") })
			a := get(t, w.straight(), w.relayed("linear", ""))
			if got := a.Header.Get("Location"); a.StatusCode != 307 || got != tt.want || hits != 1 {
				t.Errorf("answer = %s to %q after %d requests, want 307 to %q after one", a.Status, got, hits, tt.want)
			}
		})
	}
}

func TestLocationThatIsNoURL(t *testing.T) {
	base, _, err := parseServer("https://mcp.test/mcp")
	if err != nil {
		t.Fatal(err)
	}
	rl := &relay{prefix: "/mcp/t/s", base: base}
	if got := rl.location(base, "https://["); got != "https://[" {
		t.Errorf("location = %q, want it as it is", got)
	}
}
