package moatd_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// secretOf is the secret of a grant; it has no sign that a URL would change.
func secretOf(grant string) string {
	return "s3cr3t-of-" + strings.ReplaceAll(grant, ":", "-") + "-0123"
}

func basic(user, grant string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secretOf(grant)))
}

// A sighting is a request as an origin has it.
type sighting struct {
	Host, URI string
	Header    http.Header
}

func sight(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(sighting{r.Host, r.RequestURI, r.Header})
}

// gone is a header that must not leave.
const gone = ""

// A leaving is what leaves for a request of a run: the headers that are the
// provider's business, and the URI if it is not that of the request. All other
// headers of the agent's own leave as they are.
type leaving struct {
	name    string // begins with the grant, where grants are nil
	url     string
	grants  []string
	headers map[string]string
	uri     string
}

var leavings = []leaving{
	{name: "anthropic", url: "https://api.anthropic.com/v1/messages", headers: map[string]string{"X-Api-Key": secretOf("anthropic"), "Authorization": gone}},
	{name: "claude", url: "https://api.anthropic.com/v1/messages", headers: map[string]string{
		"Authorization": "Bearer " + secretOf("claude"), "X-Api-Key": gone, "Anthropic-Beta": "agent's own beta, oauth-2025-04-20",
	}},
	{name: "openai", url: "https://api.openai.com/v1/chat/completions", headers: map[string]string{"Authorization": "Bearer " + secretOf("openai")}},
	{
		name: "gemini", url: "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent?key=agent&alt=sse&%6bey=agent",
		headers: map[string]string{"X-Goog-Api-Key": secretOf("gemini"), "Authorization": gone}, uri: "/v1beta/models/m:generateContent?alt=sse",
	},
	{
		name: "gemini-oauth", url: "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent?key=agent&alt=sse",
		headers: map[string]string{"Authorization": "Bearer " + secretOf("gemini-oauth"), "X-Goog-Api-Key": gone}, uri: "/v1beta/models/m:generateContent?alt=sse",
	},
	{name: "github, the API", url: "https://api.github.com/user", headers: map[string]string{"Authorization": "Bearer " + secretOf("github")}},
	{name: "github, an upload", url: "https://uploads.github.com/repos/a/b/releases/1/assets", headers: map[string]string{"Authorization": "Bearer " + secretOf("github")}},
	{name: "github, a raw file", url: "https://raw.githubusercontent.com/a/b/main/x", headers: map[string]string{"Authorization": "Bearer " + secretOf("github")}},
	{name: "github, git", url: "https://github.com/a/b.git/info/refs?service=git-upload-pack", headers: map[string]string{"Authorization": basic("x-access-token", "github")}},
	{name: "github:acme/app, its repository", url: "https://api.github.com/repos/acme/app", headers: map[string]string{"Authorization": "Bearer " + secretOf("github:acme/app")}},
	{name: "github:acme/app, its git", url: "https://github.com/Acme/App.git/info/refs", headers: map[string]string{"Authorization": basic("x-access-token", "github:acme/app")}},
	{
		name: "github:acme/app with github, another repository", grants: []string{"github:acme/app", "github"},
		url: "https://api.github.com/repos/acme/other", headers: map[string]string{"Authorization": "Bearer " + secretOf("github")},
	},
	{
		name: "github:acme/app with github:other/lib, the other", grants: []string{"github:acme/app", "github:other/lib"},
		url: "https://github.com/other/lib.git/git-upload-pack", headers: map[string]string{"Authorization": basic("x-access-token", "github:other/lib")},
	},
	{name: "gitlab, the API", url: "https://gitlab.com/api/v4/user?private_token=agent", headers: map[string]string{
		"Private-Token": secretOf("gitlab"), "Authorization": gone, "Job-Token": gone,
	}, uri: "/api/v4/user"},
	{name: "gitlab, git", url: "https://gitlab.com/a/b.git/info/refs", headers: map[string]string{
		"Authorization": basic("oauth2", "gitlab"), "Private-Token": gone, "Job-Token": gone,
	}},
	{name: "gitlab:acme/app, its project", url: "https://gitlab.com/api/v4/projects/acme%2Fapp/issues", headers: map[string]string{
		"Private-Token": secretOf("gitlab:acme/app"), "Authorization": gone, "Job-Token": gone,
	}},
	{name: "npm", url: "https://registry.npmjs.org/@acme%2fapp", headers: map[string]string{"Authorization": "Bearer " + secretOf("npm")}},
	{name: "graphite", url: "https://api.graphite.dev/v1/graphite/user", headers: map[string]string{"Authorization": "token " + secretOf("graphite")}},
	{
		name: "telegram", url: "https://api.telegram.org/bot1000000000:moatPlaceholder00000000000000000000/getMe?x=1",
		uri: "/bot" + secretOf("telegram") + "/getMe?x=1",
	},
	{
		name: "telegram, a file", url: "https://api.telegram.org/file/bot1000000000:moatPlaceholder00000000000000000000/a/b.jpg",
		uri: "/file/bot" + secretOf("telegram") + "/a/b.jpg",
	},
	{name: "brave-search", url: "https://api.search.brave.com/res/v1/web/search?q=moat", headers: map[string]string{"X-Subscription-Token": secretOf("brave-search")}},
	{
		name: "datadog", url: "https://api.datadoghq.eu/api/v1/validate?api_key=agent",
		headers: map[string]string{"Dd-Api-Key": secretOf("datadog")}, uri: "/api/v1/validate",
	},
	{
		name: "datadog-app", url: "https://api.datadoghq.com/api/v1/monitor?application_key=agent",
		headers: map[string]string{"Dd-Application-Key": secretOf("datadog-app")}, uri: "/api/v1/monitor",
	},
	{
		name: "datadog with datadog-app", grants: []string{"datadog", "datadog-app"}, url: "https://api.datadoghq.com/api/v1/monitor",
		headers: map[string]string{"Dd-Api-Key": secretOf("datadog"), "Dd-Application-Key": secretOf("datadog-app")},
	},
	{name: "elevenlabs", url: "https://api.elevenlabs.io/v1/voices", headers: map[string]string{"Xi-Api-Key": secretOf("elevenlabs")}},
	{name: "linear", url: "https://api.linear.app/graphql", headers: map[string]string{"Authorization": secretOf("linear")}},
	{name: "sentry", url: "https://us.sentry.io/api/0/organizations/", headers: map[string]string{"Authorization": "Bearer " + secretOf("sentry")}},
	{name: "vercel", url: "https://api.vercel.com/v9/projects", headers: map[string]string{"Authorization": "Bearer " + secretOf("vercel")}},
}

// agentsOwn is what an agent sends of its own under every name that a provider uses.
func agentsOwn() http.Header {
	h := http.Header{"Anthropic-Beta": {"agent's own beta"}}
	for _, name := range []string{
		"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Private-Token", "Job-Token", "X-Subscription-Token", "Dd-Api-Key",
		"Dd-Application-Key", "Xi-Api-Key",
	} {
		h.Set(name, "agent's own")
	}
	return h
}

// tricks are the ways in which an agent may send its headers.
var tricks = map[string]func(http.Header){
	"once": func(http.Header) {},
	"twice": func(h http.Header) {
		for name, values := range h {
			if name != "Anthropic-Beta" {
				h[name] = append(values, "agent's other")
			}
		}
	},
	"in lower case": func(h http.Header) {
		for name, values := range maps.Clone(h) {
			if name != "Anthropic-Beta" {
				delete(h, name)
				h[strings.ToLower(name)] = values
			}
		}
	},
	// What Connection names belongs to the hop, and would go if it went after ours.
	"named by Connection": func(h http.Header) {
		h.Set("Connection", strings.Join(slices.Sorted(maps.Keys(h)), ", "))
	},
}

// everyProvider returns a daemon that pretends to have the Internet behind it, with
// a credential for each grant of the table.
func everyProvider(t *testing.T) *daemontest.Daemon {
	t.Helper()
	set, err := providers.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	d := daemontest.New(t)
	hosts := slices.Clone(elsewhere)
	for _, name := range set.Names() {
		p, _ := set.Get(name)
		hosts = append(hosts, p.Hosts()...)
		d.Grant(name, secretOf(name))
	}
	for _, grant := range []string{"github:acme/app", "github:other/lib", "gitlab:acme/app"} {
		d.Grant(grant, secretOf(grant))
	}
	slices.Sort(hosts)
	d.Pretend(http.HandlerFunc(sight), slices.Compact(hosts)...)
	d.Start()
	return d
}

// run returns the grants of the run.
func (l leaving) run() []string {
	if l.grants != nil {
		return l.grants
	}
	name, _, _ := strings.Cut(l.name, ",")
	return []string{name}
}

// TestWhatLeavesWithEachProvider sends a request to a host of each provider, with
// headers of the agent's own under all names of providers.
func TestWhatLeavesWithEachProvider(t *testing.T) {
	d := everyProvider(t)
	for i, tt := range leavings {
		token := d.Register(daemon.RegisterRequest{RunID: fmt.Sprint("run-", i), Grants: tt.run()})
		for trick, play := range tricks {
			t.Run(tt.name+" "+trick, func(t *testing.T) {
				header := agentsOwn()
				play(header)
				status, got := send(t, d.HTTPClient(token), tt.url, header)
				if status != http.StatusOK {
					t.Fatalf("GET %s: %d %+v", tt.url, status, got)
				}
				u, _ := url.Parse(tt.url)
				want := sighting{Host: u.Host, URI: tt.uri, Header: expected(trick, tt.headers)}
				if tt.uri == "" {
					want.URI = u.RequestURI()
				}
				for _, name := range []string{"Accept-Encoding", "User-Agent"} {
					got.Header.Del(name)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("GET %s (-want +got):\n%s", tt.url, diff)
				}
			})
		}
	}
}

// expected returns the headers that leave.
func expected(trick string, set map[string]string) http.Header {
	h := agentsOwn()
	switch trick {
	case "named by Connection":
		h = http.Header{} // they belong to the hop
	case "twice":
		tricks[trick](h)
	}
	for name, value := range set {
		h.Del(name)
		if value != gone {
			h.Set(name, value)
		}
		if name == "Anthropic-Beta" && trick == "named by Connection" {
			h.Set(name, strings.TrimPrefix(value, "agent's own beta, "))
		}
	}
	return h
}

func send(t *testing.T, c *http.Client, url string, header http.Header) (status int, got sighting) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("GET %s: %v in %s", url, err, body)
		}
	}
	return res.StatusCode, got
}

// elsewhere are hosts that are no provider's, and look like one's.
var elsewhere = []string{
	"example.com", "github.com.example.com", "xgithub.com", "gist.github.com", "codeload.github.com", "evil-api.github.com",
	"anthropic.com", "www.anthropic.com", "api.anthropic.com.example.com", "oauth2.googleapis.com", "npmjs.org", "telegram.org",
	"web.telegram.org", "datadoghq.com", "o1.ingest.sentry.io", "vercel.com", "linear.app", "openai.com", "gitlab.com.example.com",
}

// TestNothingLeavesToOtherHosts sends a request of each provider's agents to every
// host that is not one of the provider's: no secret is in it, in no form.
func TestNothingLeavesToOtherHosts(t *testing.T) {
	d := everyProvider(t)
	set, err := providers.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	hosts := slices.Clone(elsewhere)
	for _, name := range set.Names() {
		p, _ := set.Get(name)
		hosts = append(hosts, p.Hosts()...)
		if !slices.ContainsFunc(leavings, func(l leaving) bool { return slices.Contains(l.run(), name) }) {
			t.Errorf("the table of what leaves has no line for %s", name)
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	for _, name := range set.Names() {
		t.Run(name, func(t *testing.T) {
			p, _ := set.Get(name)
			client := d.HTTPClient(d.Register(daemon.RegisterRequest{RunID: "other-" + name, Grants: []string{name}}))
			for _, host := range hosts {
				if slices.Contains(p.Hosts(), host) {
					continue
				}
				checkNothing(t, client, p, host)
			}
		})
	}
}

// checkNothing sends what the agents of a provider have, placeholders in every
// place that a credential may have, to a host that is none of the provider's.
func checkNothing(t *testing.T, c *http.Client, p *providers.Provider, host string) {
	t.Helper()
	for _, placeholder := range slices.Compact(slices.Sorted(maps.Values(p.Env()))) {
		header := agentsOwn()
		header.Set("Authorization", "Bearer "+placeholder)
		status, got := send(t, c, "https://"+host+"/bot"+placeholder+"/x?key="+placeholder, header)
		if p.Name() == "telegram" { // its placeholder stands for something
			if status != http.StatusForbidden {
				t.Errorf("%s got the placeholder: %d", host, status)
			}
			continue
		}
		if status != http.StatusOK {
			t.Errorf("GET https://%s: %d", host, status)
			continue
		}
		seen := fmt.Sprintf("%q", got)
		for _, form := range p.Forms(providers.TrimSecret(secretOf(p.Name()))) {
			if strings.Contains(seen, form) {
				t.Errorf("%s got the secret: %s", host, seen)
			}
		}
		if got := got.Header.Get("Authorization"); got != "Bearer "+placeholder {
			t.Errorf("%s got Authorization %q, want the agent's own", host, got)
		}
	}
}

// TestCollidingGrantsAreRefused registers runs whose grants cannot go together.
func TestCollidingGrantsAreRefused(t *testing.T) {
	d := everyProvider(t)
	d.Grant("openai:work", "work")
	d.Grant("github:Acme/App", "again")
	for _, tt := range []struct {
		name   string
		grants []string
		want   string
	}{
		{"two kinds of one service", []string{"anthropic", "claude"}, "the grants anthropic and claude each have a credential for all paths"},
		{"two accounts", []string{"openai", "openai:work"}, "the grants openai and openai:work each have a credential"},
		{"one scope in two spellings", []string{"github:acme/app", "github:Acme/App"}, "each have a credential for paths below /"},
		{"a scope that is none", []string{"github:acme//app"}, "the scope must be names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.Client.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "r", Grants: tt.grants})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("RegisterRun(%q) = %v, want %q", tt.grants, err, tt.want)
			}
		})
	}
}

// TestClaudeStartsWithATokenThatMayNotAskForTheProfile checks the transformer that
// the provider names.
func TestClaudeStartsWithATokenThatMayNotAskForTheProfile(t *testing.T) {
	d := daemontest.New(t)
	d.Pretend(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }), "api.anthropic.com")
	d.Grant("claude", secretOf("claude"))
	d.Grant("anthropic", secretOf("anthropic"))
	d.Start()
	for grant, want := range map[string]int{"claude": http.StatusOK, "anthropic": http.StatusForbidden} {
		client := d.HTTPClient(d.Register(daemon.RegisterRequest{RunID: grant, Grants: []string{grant}}))
		if status, body, _ := get(t, client, "https://api.anthropic.com/api/oauth/profile"); status != want {
			t.Errorf("the profile with %s: %d %s, want %d", grant, status, body, want)
		}
	}
}
