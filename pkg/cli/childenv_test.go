package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testEnv = childEnv{home: "/h", token: "TOKEN", port: 19080, grants: map[string]string{"GH_TOKEN": "placeholder"}}

func TestChildEnv(t *testing.T) {
	const proxy = "http://moat:TOKEN@127.0.0.1:19080"
	for _, c := range []struct {
		name string
		base []string
		want map[string]string // "" for a variable that must be there and empty
	}{
		{
			"the proxy is named in both cases", nil,
			map[string]string{
				"HTTP_PROXY": proxy, "http_proxy": proxy, "HTTPS_PROXY": proxy, "https_proxy": proxy,
				"ALL_PROXY": proxy, "all_proxy": proxy, "GRPC_PROXY": proxy, "grpc_proxy": proxy,
			},
		},
		{
			"nothing goes around the proxy",
			[]string{"NO_PROXY=localhost", "no_proxy=*", "X=y"},
			map[string]string{"NO_PROXY": "", "no_proxy": ""},
		},
		{
			"tools that replace their roots get the bundle",
			[]string{"SSL_CERT_FILE=/mine", "SSL_CERT_FILE=/again"},
			map[string]string{
				"SSL_CERT_FILE": "/h/ca/bundle.crt", "CURL_CA_BUNDLE": "/h/ca/bundle.crt", "REQUESTS_CA_BUNDLE": "/h/ca/bundle.crt",
				"PIP_CERT": "/h/ca/bundle.crt", "AWS_CA_BUNDLE": "/h/ca/bundle.crt", "GIT_SSL_CAINFO": "/h/ca/bundle.crt",
				"CARGO_HTTP_CAINFO": "/h/ca/bundle.crt", "BUNDLE_SSL_CA_CERT": "/h/ca/bundle.crt", "NIX_SSL_CERT_FILE": "/h/ca/bundle.crt",
			},
		},
		{
			"tools whose own settings go before HTTPS_PROXY are told too",
			[]string{"PIP_PROXY=http://corp"},
			map[string]string{
				"PIP_PROXY": proxy, "CARGO_HTTP_PROXY": proxy, "npm_config_proxy": proxy, "npm_config_https_proxy": proxy,
				"npm_config_cafile": "/h/ca/bundle.crt",
			},
		},
		{"wget reads its CA from a file", nil, map[string]string{"WGETRC": "/h/run/wgetrc"}},
		{"a file for wget of the user's stays", []string{"WGETRC=/mine"}, map[string]string{"WGETRC": "/mine"}},
		{
			"tools that add roots get ours alone", nil,
			map[string]string{"NODE_EXTRA_CA_CERTS": "/h/ca/ca.crt", "DENO_CERT": "/h/ca/ca.crt", "SSL_CERT_DIR": "/h/ca"},
		},
		{
			"a placeholder takes the place of the user's own token",
			[]string{"GH_TOKEN=real"},
			map[string]string{"GH_TOKEN": "placeholder"},
		},
		{
			"what the user set for Node and Java stays, ours comes after it",
			[]string{"NODE_OPTIONS=--max-old-space-size=100", "JAVA_TOOL_OPTIONS=-Xmx1g"},
			map[string]string{
				"NODE_OPTIONS":      "--max-old-space-size=100 --require=/h/run/nodehook.cjs",
				"JAVA_TOOL_OPTIONS": "-Xmx1g " + strings.Join(javaOptions("/h", 19080), " "),
			},
		},
		{
			"git's settings of the user's stay",
			[]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c"},
			map[string]string{
				"GIT_CONFIG_COUNT": "3", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c",
				"GIT_CONFIG_KEY_1": "http.proxy", "GIT_CONFIG_VALUE_1": proxy,
				"GIT_CONFIG_KEY_2": "http.proxyAuthMethod", "GIT_CONFIG_VALUE_2": "basic",
			},
		},
		{
			"a count that git would not take is none",
			[]string{"GIT_CONFIG_COUNT=many"},
			map[string]string{"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "http.proxy", "GIT_CONFIG_VALUE_1": "basic"},
		},
		{"what has nothing to do with it stays", []string{"LANG=C", "X=a=b"}, map[string]string{"LANG": "C", "X": "a=b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := variables(t, testEnv.environ(c.base))
			for name, want := range c.want {
				if value, set := got[name]; !set || value != want {
					t.Errorf("environ(%q) has %s=%q (set: %v), want %q", c.base, name, value, set, want)
				}
			}
		})
	}
}

// variables takes an environment apart; each name must be there once.
func variables(t *testing.T, env []string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if _, twice := all[name]; twice {
			t.Errorf("the environment has %s twice", name)
		}
		all[name] = value
	}
	return all
}

func TestChildEnvLeavesItsBaseAlone(t *testing.T) {
	base := []string{"A=1", "HTTP_PROXY=x", "B=2"}
	before := slices.Clone(base)
	testEnv.environ(base)
	if diff := cmp.Diff(before, base); diff != "" {
		t.Errorf("environ changed its argument (-before +after):\n%s", diff)
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		name, kv, secret string
		want             bool
	}{
		{"the secret itself", "A=0123456789", "0123456789", true},
		{"a URL with the secret", "A=https://u:0123456789@host", "0123456789", true},
		{"another value", "A=012345678", "0123456789", false},
		{"a name that is the secret", "0123456789=x", "0123456789", false},
		{"a short secret inside of a word", "A=abc", "b", false},
		{"a short secret", "A=b", "b", true},
		{"a value with an equals sign", "A=b=c", "b=c", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := holds(c.kv, c.secret); got != c.want {
				t.Errorf("holds(%q, %q) = %v, want %v", c.kv, c.secret, got, c.want)
			}
		})
	}
}

func FuzzQuoteNode(f *testing.F) {
	for _, path := range []string{"/home/a/.moat", "/home/a b/.moat", `/back\slash`, `/quo"te`, "", " "} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got := unquoteNode(quoteNode(path)); len(got) != 1 && path != "" || len(got) == 1 && got[0] != path {
			t.Errorf("Node reads %q as %q, want the one option %q", quoteNode(path), got, path)
		}
	})
}

// unquoteNode parts NODE_OPTIONS as Node does: a space parts outside of double
// quotes, a backslash takes the next character as it is within them.
func unquoteNode(text string) (options []string) {
	quoted, first := false, true
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quoted && i+1 < len(text):
			i++
			c = text[i]
		case c == ' ' && !quoted:
			first = true
			continue
		case c == '"':
			quoted = !quoted
			continue
		}
		if first {
			options, first = append(options, ""), false
		}
		options[len(options)-1] += string([]byte{c})
	}
	return options
}

func TestJavaTrustIsOneFileForOneSetOfRoots(t *testing.T) {
	cert := func(text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("key")}))
	for _, c := range []struct {
		name, roots string
		want        uint32 // certificates
	}{
		{"no roots", "", 0},
		{"text around the certificates", "# one\n" + cert("a") + "# two\n" + cert("b"), 2},
		{"what is no certificate", key + cert("a"), 1},
		{"text that is no PEM", "-----BEGIN", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := javaTrust([]byte(c.roots))
			if n := binary.BigEndian.Uint32(got[8:]); n != c.want {
				t.Errorf("javaTrust(%q) counts %d certificates, want %d", c.roots, n, c.want)
			}
			if bytes.Contains(got, []byte("key")) {
				t.Errorf("javaTrust(%q) has the key", c.roots)
			}
			if again := javaTrust([]byte(c.roots)); !bytes.Equal(got, again) {
				t.Errorf("javaTrust(%q) made two different files", c.roots)
			}
		})
	}
}

func BenchmarkJavaTrust(b *testing.B) {
	roots := bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: make([]byte, 1200)}), 140)
	b.SetBytes(int64(len(roots)))
	for b.Loop() {
		javaTrust(roots)
	}
}

func BenchmarkChildEnv(b *testing.B) {
	base := make([]string, 100)
	for i := range base {
		base[i] = "SOME_VARIABLE_" + strings.Repeat("x", i) + "=value"
	}
	for b.Loop() {
		testEnv.environ(base)
	}
}
