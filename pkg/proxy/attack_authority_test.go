package proxy

import "testing"

// TestAttackAuthority names one host where the rules are looked up and another
// where the request is meant to go.
func TestAttackAuthority(t *testing.T) { newArena(t).attacks(t, authorityAttacks()) }

func authorityAttacks() []attack {
	const api = "api.test:443"
	return []attack{
		{name: "SNI of another host", to: "evil.test:443", sni: "api.test", raw: "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "SNI and Host of another host", to: "evil.test:443", sni: "api.test", raw: "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "Host of another host", to: api, raw: "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "Host of the credential in a tunnel elsewhere", to: "evil.test:443", raw: "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "Host at another port", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:8443\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "Host below the host", to: api, raw: "GET / HTTP/1.1\r\nHost: x.api.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "Host twice, alike", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test\r\nHost: api.test\r\n\r\n", status: 400},
		{name: "Host twice, the other first", to: api, raw: "GET / HTTP/1.1\r\nHost: evil.test\r\nHost: api.test\r\n\r\n", status: 400},
		{name: "Host twice, the other last and in capitals", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test\r\nHOST: evil.test\r\n\r\n", status: 400},
		{name: "Host is missing", to: api, raw: "GET / HTTP/1.1\r\n\r\n", status: 400},
		{name: "Host is empty", to: api, raw: "GET / HTTP/1.1\r\nHost:\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host is a list", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test, evil.test\r\n\r\n", status: 400},
		{name: "Host with a user", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test@evil.test\r\n\r\n", status: 400},
		{name: "Host with a user that looks like a port", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:443@evil.test\r\n\r\n", status: 400},
		{name: "Host with a path", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test/evil.test\r\n\r\n", status: 400},
		{name: "Host with a fragment", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test#evil.test\r\n\r\n", status: 400},
		{name: "Host with a backslash", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test\\evil.test\r\n\r\n", status: 400},
		{name: "Host with a port that is none", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:443x\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with two ports", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:443:8443\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with port 0", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:0\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with a port beyond 65535", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:65979\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with a sign before its port", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:+443\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with an empty port", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test:\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with an escaped letter", to: api, raw: "GET / HTTP/1.1\r\nHost: %61pi.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with two dots at its end", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test..\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host with a NUL", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test\x00.evil.test\r\n\r\n", status: 400},
		{name: "Host with a tab inside", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test\tevil.test\r\n\r\n", status: 400},
		{name: "Host folded over two lines", to: api, raw: "GET / HTTP/1.1\r\nHost: api.test\r\n evil.test\r\n\r\n", status: 400},
		{name: "Host in letters that look alike", to: api, raw: "GET / HTTP/1.1\r\nHost: \xd0\xb0pi.test\r\n\r\n", status: 400},
		{name: "Host in A-labels that look alike", to: api, raw: "GET / HTTP/1.1\r\nHost: xn--pi-6kc.test\r\n\r\n", status: 421, reason: "misdirected"},
		{name: "an absolute URL of another host", to: api, raw: "GET https://evil.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL of another scheme", to: api, raw: "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL with a user", to: api, raw: "GET https://api.test@evil.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL of ftp", to: api, raw: "GET ftp://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "an opaque URL", to: api, raw: "GET https:evil.test HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "a target that is neither URL nor path", to: api, raw: "GET evil.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400},
		{name: "a CONNECT inside a tunnel", to: api, raw: "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "a CONNECT inside a tunnel, with a path", to: api, raw: "CONNECT /x HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 400, reason: "malformed"},
		{name: "Host beside an absolute URL does not count", to: api, raw: "GET https://api.test/x HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 200, reads: "https://api.test:443 GET /x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\n\r\n"},
		{name: "a path that begins like an authority", to: api, raw: "GET //evil.test/x HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 200, reads: "https://api.test:443 GET //evil.test/x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer real-api\r\n\r\n"},
		{name: "X-Forwarded-Host says nothing", to: "evil.test:443", raw: "GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: api.test\r\nForwarded: host=api.test\r\n\r\n", status: 200, reads: "https://evil.test:443 GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n"},
	}
}

// TestAttackPlain sends to the proxy's own port.
func TestAttackPlain(t *testing.T) {
	newArena(t).attacks(t, []attack{
		{name: "a credential over cleartext", raw: "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 403, reason: "cleartext"},
		{name: "a credential over cleartext at the port of TLS", raw: "GET http://api.test:443/ HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 403, reason: "cleartext"},
		{name: "a credential over cleartext, the host in capitals and with a dot", raw: "GET http://API.TEST./ HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 403, reason: "cleartext"},
		{name: "a credential over cleartext, a letter of the host escaped", raw: "GET http://%61pi.test/ HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 400},
		{name: "a credential over cleartext, Host of another", raw: "GET http://api.test/ HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n", status: 403, reason: "cleartext"},
		{name: "a substitution over cleartext", raw: "GET http://sub.test/?k=PLACEHOLDER HTTP/1.1\r\nHost: sub.test\r\nAUTH\r\n", status: 403, reason: "cleartext"},
		{name: "a stub over cleartext", raw: "GET http://mcp.test/ HTTP/1.1\r\nHost: mcp.test\r\nAuthorization: Bearer moat-stub-mcp\r\nAUTH\r\n", status: 403, reason: "placeholder"},
		{name: "an absolute URL of ftp", raw: "GET ftp://api.test/ HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL of ws", raw: "GET ws://api.test/ HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL of file", raw: "GET file:///etc/passwd HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL without a host", raw: "GET http:///x HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "an absolute URL with a user", raw: "GET http://api.test@evil.test/ HTTP/1.1\r\nHost: evil.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "a path alone", raw: "GET / HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "TRACE", raw: "TRACE https://api.test/ HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "no token", raw: "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 407, reason: "proxy-token"},
		{name: "two tokens", raw: "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nProxy-Authorization: Bearer other\r\nAUTH\r\n", status: 407, reason: "proxy-token"},
		{name: "the token in the URL's user", raw: "GET http://moat:TOKEN@evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 407, reason: "proxy-token"},
		{name: "CONNECT to a host with a user", raw: "CONNECT api.test@evil.test:443 HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "CONNECT without a port", raw: "CONNECT api.test HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "CONNECT to port 0", raw: "CONNECT api.test:0 HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "CONNECT to a URL", raw: "CONNECT https://api.test/ HTTP/1.1\r\nHost: api.test\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "CONNECT to a path", raw: "CONNECT /mcp/TOKEN/mcp HTTP/1.1\r\nHost: api.test:443\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "CONNECT to an escaped host", raw: "CONNECT %61pi.test:443 HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 400},
		{name: "CONNECT to an address with a zone", raw: "CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\nHost: x\r\nAUTH\r\n", status: 400, reason: "malformed"},
		{name: "CONNECT without a token", raw: "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n", status: 407, reason: "proxy-token"},
		{name: "the preface of HTTP/2", raw: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 407, reason: "proxy-token"},
	})
}
