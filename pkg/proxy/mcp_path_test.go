package proxy

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzRelayPath joins whatever is accepted with a server, and goes back.
func FuzzRelayPath(f *testing.F) {
	for _, seed := range []string{
		"/mcp/t/s", "/mcp/t/s/", "/mcp/t/s/a/b%2Fc", "/mcp/t/s/../x", "/mcp/t/s/%2e%2e", "/mcp/t/s/..%5cx", "/mcp/t/s/..;a/b",
		"/mcp//s", "/mcp/t/", "/mcp/%74/%73//", "/mcp/t/s//a", "/mcp/t/s/a%00b", "/mcp/t/s/a%25%2e", "/mcp/t/s/%",
	} {
		f.Add(seed, "q=1")
	}
	bases := []string{"https://mcp.test/base/mcp", "https://mcp.test/base/?v=1", "https://mcp.test"}
	f.Fuzz(func(t *testing.T, text, query string) {
		u, err := url.ParseRequestURI(text)
		if err != nil || !strings.HasPrefix(u.EscapedPath(), relayPrefix) || u.Host != "" {
			return
		}
		rp, err := parseRelayPath(u.EscapedPath())
		if err != nil {
			return
		}
		if !validServerName(rp.server) || rp.token == "" || rp.prefix+rp.rest != u.EscapedPath() {
			t.Fatalf("parseRelayPath(%q) = %+v", u.EscapedPath(), rp)
		}
		for _, text := range bases {
			base, _, err := parseServer(text)
			if err != nil {
				t.Fatal(err)
			}
			out := join(base, rp.rest, "")
			root := strings.TrimSuffix(base.Path, "/")
			if clean := path.Clean(strings.ReplaceAll(out.Path, `\`, "/")); rp.rest != "" && clean != root && !strings.HasPrefix(clean, root+"/") {
				t.Errorf("join(%s, %q) = %s, outside the server", base, rp.rest, out)
			}
			if out.Host != base.Host || out.Scheme != base.Scheme {
				t.Errorf("join(%s, %q) = %s, another host", base, rp.rest, out)
			}
			if rest, _, ok := below(base, out); !ok || strings.TrimSuffix(rest, "/") != strings.TrimSuffix(rp.rest, "/") {
				t.Errorf("below(%s, join(…, %q)) = %q, %v", base, rp.rest, rest, ok)
			}
			if got := join(base, rp.rest, query).RawQuery; !strings.HasSuffix(got, query) || !strings.HasPrefix(got, base.RawQuery) {
				t.Errorf("the query of join(%s, …, %q) = %q", base, query, got)
			}
		}
	})
}

func BenchmarkRelayPath(b *testing.B) {
	base, _, err := parseServer("https://mcp.test/mcp")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rp, err := parseRelayPath("/mcp/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/linear/a%2Fb")
		if err != nil {
			b.Fatal(err)
		}
		join(base, rp.rest, "q=1")
	}
}

func BenchmarkRelay(b *testing.B) {
	w := relayWorld(b, hello)
	c := w.straight()
	for b.Loop() {
		get(b, c, w.relayed("linear", "")).want(b, 200, "hello")
	}
}
