package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
)

func TestParseChallenges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		want   []Challenge
	}{
		{"one without parameters", []string{"Bearer"}, []Challenge{{"bearer", map[string]string{}}}},
		{
			"quoted and plain values",
			[]string{`Bearer realm="a, b=\"c\"",Scope=read`},
			[]Challenge{{"bearer", map[string]string{"realm": `a, b="c"`, "scope": "read"}}},
		},
		{
			"several in one header",
			[]string{`Negotiate, Basic realm="x", Bearer resource_metadata = "https://a.example/m"`},
			[]Challenge{{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": "x"}}, {"bearer", map[string]string{"resource_metadata": "https://a.example/m"}}},
		},
		{
			"several headers",
			[]string{"Basic", `Bearer a="1"`},
			[]Challenge{{"basic", map[string]string{}}, {"bearer", map[string]string{"a": "1"}}},
		},
		{
			"a URL that nobody has quoted",
			[]string{`Bearer resource_metadata=https://a.example/m?x=1, scope=b`},
			[]Challenge{{"bearer", map[string]string{"resource_metadata": "https://a.example/m?x=1", "scope": "b"}}},
		},
		{"the first of two values counts", []string{`Bearer a="1", a="2"`}, []Challenge{{"bearer", map[string]string{"a": "1"}}}},
		{"a quote that does not end", []string{`Bearer a="1`}, []Challenge{{"bearer", map[string]string{"a": "1"}}}},
		{"a token68 is left out", []string{"Negotiate abc==, Bearer a=b"}, []Challenge{{"negotiate", map[string]string{}}, {"bearer", map[string]string{"a": "b"}}}},
		{"a parameter of nothing is left out", []string{"a=b"}, nil},
		{"one that is too long is left out", []string{"Bearer a=" + strings.Repeat("x", maxChallenge)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := slices.DeleteFunc(ParseChallenges(tt.values), func(c Challenge) bool { return c.Scheme == "abc" })
			if !reflect.DeepEqual(got, tt.want) && len(got)+len(tt.want) > 0 {
				t.Errorf("ParseChallenges(%q) = %v, want %v", tt.values, got, tt.want)
			}
		})
	}
}

// What is written by the rules is read as it was meant, and nothing hangs.
func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer realm="x"`, "https://a.example/m")
	f.Add(`Basic =,=, "`, `a"b\c`)
	f.Fuzz(func(t *testing.T, noise, value string) {
		if len(noise)+2*len(value) > maxChallenge/2 {
			t.Skip()
		}
		ParseChallenges([]string{noise})
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
		got := bearer(ParseChallenges([]string{noise, `Bearer resource_metadata="` + quoted + `"`}))
		if own := bearer(ParseChallenges([]string{noise}))["resource_metadata"]; own == "" && got["resource_metadata"] != value {
			t.Errorf("after %q, %q is read as %q", noise, value, got["resource_metadata"])
		}
	})
}

const (
	goodResource = `{"resource":"https://mcp.example/mcp","authorization_servers":["https://idp.example"],"scopes_supported":["a"]}`
	goodServer   = `{"issuer":"https://idp.example","authorization_endpoint":"https://idp.example/a","token_endpoint":"https://idp.example/t",
		"code_challenge_methods_supported":["plain","S256"]}`
)

// edited returns a document with a field changed; nil removes it.
func edited(t *testing.T, doc, field string, to any) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(doc), &all); err != nil {
		t.Fatal(err)
	}
	all[field] = to
	if to == nil {
		delete(all, field)
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseResource(t *testing.T) {
	for _, tt := range []struct {
		name, field string
		to          any
		want        string // of the error, "" for none
	}{
		{"as it should be", "other", 1, ""},
		{"of the whole host", "resource", "https://mcp.example", ""},
		{"of the whole host, with a slash", "resource", "https://MCP.example/", ""},
		{"of another host", "resource", "https://bank.example/mcp", "and not of https://mcp.example/mcp"},
		{"of another path", "resource", "https://mcp.example/other", "and not of"},
		{"of a path that begins like it", "resource", "https://mcp.example/m", "and not of"},
		{"of one without TLS", "resource", "http://mcp.example/mcp", "and not of"},
		{"of nothing", "resource", nil, `is of ""`},
		{"without a server", "authorization_servers", nil, "names no authorization server"},
		{"with a server without TLS", "authorization_servers", []string{"http://idp.example"}, "must be https"},
		{"with a field of another kind", "authorization_servers", "https://idp.example", "is no JSON of"},
		{"with a scope of two", "scopes_supported", []string{"a b"}, "is no scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseResource(edited(t, goodResource, tt.field, tt.to), "https://mcp.example/mcp")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseResource: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseServer(t *testing.T) {
	for _, tt := range []struct {
		name, field string
		to          any
		want        string // of the error, "" for none
	}{
		{"as it should be", "other", 1, ""},
		{"a slash more", "issuer", "https://idp.example/", ""},
		{"of another issuer", "issuer", "https://evil.example", `is of issuer "https://evil.example"`},
		{"of none", "issuer", nil, `is of issuer ""`},
		{"without PKCE", "code_challenge_methods_supported", nil, "PKCE with S256"},
		{"with PKCE that is none", "code_challenge_methods_supported", []string{"plain"}, "PKCE with S256"},
		{"without tokens", "token_endpoint", nil, "names no endpoint"},
		{"without a login", "authorization_endpoint", nil, "names no endpoint"},
		{"tokens without TLS", "token_endpoint", "http://idp.example/t", "must be https"},
		{"a login that is a program", "authorization_endpoint", "file:///bin/sh", "no URL with a host"},
		{"a login with a password", "authorization_endpoint", "https://a:b@idp.example", "without a user"},
		{"clients without TLS", "registration_endpoint", "http://idp.example/r", "must be https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseServer(edited(t, goodServer, tt.field, tt.to), "https://idp.example")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseServer: %v, want %q", err, tt.want)
			}
			if err == nil && !slices.Equal(s.ClientAuth, []string{authBasic}) {
				t.Errorf("without a word about clients they show themselves by %v", s.ClientAuth)
			}
		})
	}
}

// Whatever is accepted may be sent secrets.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(goodResource), []byte(goodServer))
	f.Add([]byte(`{"resource":"https://mcp.example"}`), []byte(`{"issuer":[]}`))
	f.Fuzz(func(t *testing.T, resource, server []byte) {
		var urls []string
		if r, err := ParseResource(resource, "https://mcp.example/mcp"); err == nil {
			urls = append(r.Servers, r.ID)
		}
		if s, err := ParseServer(server, "https://idp.example"); err == nil {
			urls = append(urls, s.TokenURL)
			for _, u := range []string{s.AuthURL, s.DeviceURL, s.RegisterURL} {
				if u != "" {
					urls = append(urls, u)
				}
			}
		}
		for _, text := range urls {
			u, err := http.NewRequest(http.MethodGet, text, nil)
			if err != nil || u.URL.Scheme != "https" && !loopback(u.URL.Hostname()) || u.URL.User != nil {
				t.Errorf("%q is accepted", text)
			}
		}
	})
}

func TestWhereMetadataAreLookedFor(t *testing.T) {
	for _, tt := range []struct {
		name, at string
		resource bool
		want     []string
	}{
		{"a server with a path", "https://a.example/mcp/", true, []string{
			"https://a.example/.well-known/oauth-protected-resource/mcp", "https://a.example/.well-known/oauth-protected-resource",
		}},
		{"a server without one", "https://a.example", true, []string{"https://a.example/.well-known/oauth-protected-resource"}},
		{"an issuer without a path", "https://a.example/", false, []string{
			"https://a.example/.well-known/oauth-authorization-server", "https://a.example/.well-known/openid-configuration",
		}},
		{"an issuer with one", "https://a.example/t%2F1", false, []string{
			"https://a.example/.well-known/oauth-authorization-server/t%2F1", "https://a.example/.well-known/openid-configuration/t%2F1",
			"https://a.example/t%2F1/.well-known/openid-configuration",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := safeURL(tt.at)
			if err != nil {
				t.Fatal(err)
			}
			got := serverURLs(u)
			if tt.resource {
				got = resourceURLs(u)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q, want %q", tt.at, got, tt.want)
			}
		})
	}
}

func TestParseClient(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Client
		err    string
	}{
		{"a public one", 201, `{"client_id":"a","token_endpoint_auth_method":"none"}`, Client{ID: "a"}, ""},
		{"a secret for the header, which is what no word means", 201, `{"client_id":"a","client_secret":"s"}`, Client{"a", "s", credential.ClientAuthBasic}, ""},
		{"a secret for the body", 200, `{"client_id":"a","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}`, Client{"a", "s", ""}, ""},
		{"a way that moat has not", 201, `{"client_id":"a","token_endpoint_auth_method":"private_key_jwt"}`, Client{}, "private_key_jwt"},
		{"no id", 201, `{}`, Client{}, "no client_id"},
		{"a refusal says why", 400, `{"error":"invalid_redirect_uri","error_description":"not\nthis"}`, Client{}, "400 Bad Request: invalid_redirect_uri not this"},
		{"a refusal without words", 403, `<html>`, Client{}, "403 Forbidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseClient(tt.status, []byte(tt.body))
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("parseClient = %+v, %v; want %+v, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestTheScopeForARefreshToken(t *testing.T) {
	for _, tt := range []struct {
		name                string
		scopes, known, want []string
	}{
		{"it is asked for where the server knows it", []string{"a"}, []string{"a", "offline_access"}, []string{"a", "offline_access"}},
		{"once", []string{"offline_access"}, []string{"offline_access"}, []string{"offline_access"}},
		{"not where the server does not know it", []string{"a"}, []string{"a"}, []string{"a"}},
		{"not alone", nil, []string{"offline_access"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := withRefresh(tt.scopes, tt.known); !slices.Equal(got, tt.want) {
				t.Errorf("withRefresh(%q, %q) = %q, want %q", tt.scopes, tt.known, got, tt.want)
			}
		})
	}
}

// Nothing but an answer to the login has a code, whatever is pasted.
func FuzzPasted(f *testing.F) {
	f.Add("http://127.0.0.1:1/callback?code=a&state=STATE&iss=https%3A%2F%2Fidp.example")
	f.Add("http://127.0.0.1:1/callback?error=access_denied&state=STATE")
	f.Add("  code=a ")
	f.Fuzz(func(t *testing.T, text string) {
		l := &Login{How: How{Issuer: "https://idp.example", SaysIssuer: true}, redirect: "http://127.0.0.1:1/callback", state: "STATE"}
		code, err := l.Pasted(text)
		if (code == "") == (err == nil) {
			t.Errorf("Pasted(%q) = %q, %v", text, code, err)
		}
		if err != nil {
			return
		}
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			t.Fatal(err)
		}
		if q := u.Query(); q.Get("state") != "STATE" || q.Get("iss") != "https://idp.example" || q.Get("code") != code || q.Get("error") != "" {
			t.Errorf("Pasted(%q) = %q", text, code)
		}
	})
}
