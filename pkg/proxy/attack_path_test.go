package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// TestAttackPath walks around the parts of a host: /a and /b have a credential
// each, and nothing else of it has one.
func TestAttackPath(t *testing.T) { newArena(t).attacks(t, pathAttacks()) }

func pathAttacks() []attack {
	const host = "parts.test:443"
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: parts.test\r\n\r\n" }
	reads := func(path, part string) string {
		return fmt.Sprintf("https://parts.test:443 GET %s HTTP/1.1\r\nHost: parts.test\r\nAuthorization: Bearer real-part-%s\r\n\r\n", path, part)
	}
	return []attack{
		{name: "dot segments", to: host, raw: get("/a/../b"), status: 400, reason: "malformed"},
		{name: "a dot segment at the end", to: host, raw: get("/a/.."), status: 400, reason: "malformed"},
		{name: "a single dot", to: host, raw: get("/a/./x"), status: 400, reason: "malformed"},
		{name: "dots escaped", to: host, raw: get("/a/%2e%2E/b"), status: 400, reason: "malformed"},
		{name: "a dot escaped", to: host, raw: get("/a/.%2e/b"), status: 400, reason: "malformed"},
		{name: "dots escaped twice", to: host, raw: get("/a/%252e%252e/b"), status: 400, reason: "malformed"},
		{name: "dots escaped three times", to: host, raw: get("/a/%25252e%25252e/b"), status: 400, reason: "malformed"},
		{name: "slashes escaped", to: host, raw: get("/a%2f..%2fb"), status: 400, reason: "malformed"},
		{name: "a slash escaped twice", to: host, raw: get("/a%252fb"), status: 400, reason: "malformed"},
		{name: "a backslash", to: host, raw: get("/a/..\\b"), status: 400, reason: "malformed"},
		{name: "a backslash escaped", to: host, raw: get("/a/..%5cb"), status: 400, reason: "malformed"},
		{name: "parameters behind dots", to: host, raw: get("/a/..;x=y/b"), status: 400, reason: "malformed"},
		{name: "two slashes at the start", to: host, raw: get("//a/x"), status: 400, reason: "malformed"},
		{name: "two slashes inside", to: host, raw: get("/a//b"), status: 400, reason: "malformed"},
		{name: "an escaped slash beside a slash", to: host, raw: get("/a/%2fb"), status: 400, reason: "malformed"},
		{name: "a NUL escaped", to: host, raw: get("/a%00/b"), status: 400, reason: "malformed"},
		{name: "an end of line escaped", to: host, raw: get("/a%0d%0a/b"), status: 400, reason: "malformed"},
		{name: "an escape that is none", to: host, raw: get("/a%zz"), status: 400},
		{name: "an escape that is cut", to: host, raw: get("/a%2"), status: 400},
		{name: "an escape in UTF-16", to: host, raw: get("/%u0061"), status: 400},
		{name: "dots in overlong UTF-8 are no dots", to: host, raw: get("/a/%c0%ae%c0%ae/b"), status: 200, reads: reads("/a/%c0%ae%c0%ae/b", "a")},
		{name: "a fragment", to: host, raw: get("/b#/a"), status: 403, reason: "scope"},
		{name: "a name that begins like a part", to: host, raw: get("/ab"), status: 403, reason: "scope"},
		{name: "a part in the query", to: host, raw: get("/?/a"), status: 403, reason: "scope"},
		{name: "the root", to: host, raw: get("/"), status: 403, reason: "scope"},
		{name: "OPTIONS for the server as a whole", to: host, raw: "OPTIONS * HTTP/1.1\r\nHost: parts.test\r\n\r\n", status: 403, reason: "scope"},
		{name: "other headers that name a path", to: host, raw: "GET /c HTTP/1.1\r\nHost: parts.test\r\nX-Original-URL: /a\r\nX-Rewrite-URL: /a\r\n\r\n", status: 403, reason: "scope"},
		{name: "a part in capitals is that part", to: host, raw: get("/A/x"), status: 200, reads: reads("/A/x", "a")},
		{name: "a part with a letter escaped is that part", to: host, raw: get("/%61/x"), status: 200, reads: reads("/%61/x", "a")},
		{name: "a part with parameters is that part", to: host, raw: get("/b;a/x"), status: 200, reads: reads("/b;a/x", "b")},
	}
}

// TestAttackItself sends to the proxy what is for the proxy: its relay, the
// credentials of a role, itself.
func TestAttackItself(t *testing.T) {
	const end = " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	a := newArena(t)
	_, port, _ := strings.Cut(a.addr, ":")
	here := " HTTP/1.1\r\nHost: x\r\nAUTH\r\n"
	a.attacks(t, []attack{
		{name: "a relay without a token", raw: "GET /mcp/mcp" + end, status: 400, reason: "malformed"},
		{name: "a relay with an empty token", raw: "GET /mcp//mcp" + end, status: 400, reason: "malformed"},
		{name: "a relay with another token", raw: "GET /mcp/0000000000000000/mcp" + end, status: 403, reason: "proxy-token"},
		{name: "a relay with another token, and ours in a header", raw: "GET /mcp/0000000000000000/mcp HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 403, reason: "proxy-token"},
		{name: "a relay to a server that the run has not", raw: "GET /mcp/TOKEN/other" + end, status: 404, reason: "mcp-server"},
		{name: "a relay to a server of an escaped name", raw: "GET /mcp/TOKEN/mcp%2f..%2fx" + end, status: 400, reason: "malformed"},
		{name: "a relay out of the server's path", raw: "GET /mcp/TOKEN/mcp/../admin" + end, status: 400, reason: "malformed"},
		{name: "a relay out of it, escaped", raw: "GET /mcp/TOKEN/mcp/%2e%2e/admin" + end, status: 400, reason: "malformed"},
		{name: "a relay out of it, with a slash escaped", raw: "GET /mcp/TOKEN/mcp/..%2fadmin" + end, status: 400, reason: "malformed"},
		{name: "a relay out of it, with a backslash", raw: "GET /mcp/TOKEN/mcp/..%5cadmin" + end, status: 400, reason: "malformed"},
		{name: "a relay out of it, escaped twice", raw: "GET /mcp/TOKEN/mcp/%252e%252e/admin" + end, status: 400, reason: "malformed"},
		{name: "a relay with the token in the rest", raw: "GET /mcp/TOKEN/mcp/TOKEN" + end, status: 400, reason: "malformed"},
		{name: "a relay with the token in the query", raw: "GET /mcp/TOKEN/mcp?k=TOKEN" + end, status: 400, reason: "malformed"},
		{name: "a relay with the token in the query, escaped twice", raw: "GET /mcp/TOKEN/mcp?k=9f3%25631b7e5a2d4860b1c9e7f35d2a8b64" + end, status: 200, reads: "https://mcp.test:443 GET /v1?k=9f3%25631b7e5a2d4860b1c9e7f35d2a8b64 HTTP/1.1\r\nHost: mcp.test\r\nAuthorization: Bearer real-mcp\r\n\r\n"},
		{name: "a relay with headers of the agent's own", raw: "GET /mcp/TOKEN/mcp HTTP/1.1\r\nHost: evil.test\r\nAuthorization: mine\r\nCookie: a\r\nConnection: Authorization\r\nX-Forwarded-Host: evil.test\r\n\r\n", status: 200, reads: "https://mcp.test:443 GET /v1 HTTP/1.1\r\nHost: mcp.test\r\nAuthorization: Bearer real-mcp\r\n\r\n"},
		{name: "a relay with both framings", raw: "POST /mcp/TOKEN/mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "a relay with a method that is TRACE", raw: "TRACE /mcp/TOKEN/mcp" + end, status: 400, reason: "malformed"},
		{name: "the prefix of relays in capitals", raw: "GET /MCP/TOKEN/mcp" + end, status: 407, reason: "proxy-token"},
		{name: "the prefix of relays behind dots", raw: "GET /x/../mcp/TOKEN/mcp" + end, status: 407, reason: "proxy-token"},
		{name: "a role without a token", raw: "GET /_aws/credentials" + end, status: 401, reason: "proxy-token"},
		{name: "a role with the token for the proxy alone", raw: "GET /_aws/credentials HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 401, reason: "proxy-token"},
		{name: "a role with the token in the query", raw: "GET /_aws/credentials?token=TOKEN" + end, status: 401, reason: "proxy-token"},
		{name: "a role with another token", raw: "GET /_aws/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer 0\r\n\r\n", status: 401, reason: "proxy-token"},
		{name: "a role with the token in Basic", raw: "GET /_aws/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Basic TOKEN\r\n\r\n", status: 401, reason: "proxy-token"},
		{name: "a role below its path", raw: "GET /_aws/credentials/x" + end, status: 407, reason: "proxy-token"},
		{name: "a role behind an escape", raw: "GET /%5faws/credentials" + end, status: 407, reason: "proxy-token"},
		{name: "the proxy through itself", raw: "GET http://127.0.0.1:" + port + "/" + here, status: 403, reason: "address"},
		{name: "the proxy through itself, by a name", raw: "GET http://localhost:" + port + "/" + here, status: 403, reason: "address"},
		{name: "the proxy through itself, below localhost", raw: "GET http://x.localhost:" + port + "/" + here, status: 403, reason: "address"},
		{name: "the proxy through itself, in octal", raw: "GET http://0177.0.0.1:" + port + "/" + here, status: 403, reason: "address"},
		{name: "the proxy through itself, as one number", raw: "GET http://2130706433:" + port + "/" + here, status: 403, reason: "address"},
		{name: "the proxy through itself, mapped into IPv6", raw: "GET http://[::ffff:127.0.0.1]:" + port + "/" + here, status: 403, reason: "address"},
		{name: "the proxy through itself, unspecified", raw: "GET http://0:" + port + "/" + here, status: 403, reason: "address"},
		{name: "metadata", raw: "GET http://169.254.169.254/latest/meta-data/" + here, status: 403, reason: "address"},
		{name: "metadata in hex", raw: "GET http://0xa9fea9fe/latest/meta-data/" + here, status: 403, reason: "address"},
		{name: "metadata in octal", raw: "GET http://0251.0376.0251.0376/" + here, status: 403, reason: "address"},
		{name: "metadata in a short form", raw: "GET http://169.254.43518/" + here, status: 403, reason: "address"},
		{name: "metadata mapped into IPv6", raw: "GET http://[::ffff:a9fe:a9fe]/" + here, status: 403, reason: "address"},
		{name: "metadata behind NAT64", raw: "GET http://[64:ff9b::a9fe:a9fe]/" + here, status: 403, reason: "address"},
		{name: "metadata in 6to4", raw: "GET http://[2002:a9fe:a9fe::1]/" + here, status: 403, reason: "address"},
		{name: "metadata in digits of full width", raw: "GET http://%EF%BC%91%EF%BC%96%EF%BC%99.254.169.254/" + here, status: 403, reason: "address"},
		{name: "link-local with a zone", raw: "GET http://[fe80::1%25lo]/" + here, status: 400, reason: "malformed"},
		{name: "a number too long for an address", raw: "GET http://127.0.0.0.1/" + here, status: 400, reason: "malformed"},
		{name: "an octal number that is none", raw: "GET http://0189.0.0.1/" + here, status: 400, reason: "malformed"},
	})
}
