package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/config"
)

// childEnv is what the environment of a run's processes is made from.
type childEnv struct {
	home   string            // moat's
	token  string            // of the run
	port   int               // of the proxy, on this machine
	grants map[string]string // the placeholders of the grants
	// ownWgetrc says that the user has a .wgetrc, which wget would not read
	// beside ours.
	ownWgetrc bool
}

// environ returns base with the variables of the run in place of those of the
// same name.
func (c childEnv) environ(base []string) []string {
	set := c.proxy()
	maps.Copy(set, c.roots())
	maps.Copy(set, c.grants)
	maps.Copy(set, c.tools(lookupIn(base)))
	env := slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		_, ours := set[name]
		return ours
	})
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env
}

// proxy returns the variables that name the proxy, in both cases, since clients
// disagree, and for tools whose own settings, which would name another, only
// give way to a variable of theirs. NO_PROXY is empty: what it names would go
// around the rules.
func (c childEnv) proxy() map[string]string {
	set := map[string]string{"NO_PROXY": "", "no_proxy": ""}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY"} {
		set[name], set[strings.ToLower(name)] = c.url(), c.url()
	}
	for _, name := range []string{"PIP_PROXY", "CARGO_HTTP_PROXY", "npm_config_proxy", "npm_config_https_proxy"} {
		set[name] = c.url()
	}
	return set
}

// url is the proxy with the token of the run.
func (c childEnv) url() string { return fmt.Sprintf("http://moat:%s@127.0.0.1:%d", c.token, c.port) }

// roots returns the variables that name CA certificates: the bundle for tools
// that take it in place of their own, our CA alone for those that add it.
func (c childEnv) roots() map[string]string {
	set := map[string]string{
		"SSL_CERT_DIR":        config.CADir(c.home),
		"NODE_EXTRA_CA_CERTS": config.CAFile(c.home),
		"DENO_CERT":           config.CAFile(c.home),
	}
	for _, name := range []string{
		"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO",
		"CARGO_HTTP_CAINFO", "BUNDLE_SSL_CA_CERT", "NIX_SSL_CERT_FILE", "HTTPLIB2_CA_CERTS",
		"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "npm_config_cafile",
	} {
		set[name] = config.BundleFile(c.home)
	}
	return set
}

// tools returns the variables of single tools; those that the user may have set
// too get ours beside the user's.
func (c childEnv) tools(have func(string) string) map[string]string {
	hook, java := "--require="+quoteNode(nodeHookFile(c.home)), strings.Join(javaOptions(c.home, c.port), " ")
	set := map[string]string{
		"NODE_USE_ENV_PROXY": "1",
		"NODE_OPTIONS":       strings.TrimSpace(have("NODE_OPTIONS") + " " + hook),
		"JAVA_TOOL_OPTIONS":  strings.TrimSpace(have("JAVA_TOOL_OPTIONS") + " " + java),
	}
	if !c.ownWgetrc && have("WGETRC") == "" {
		set["WGETRC"] = wgetrcFile(c.home)
	}
	c.git(set, have("GIT_CONFIG_COUNT"))
	return set
}

// git adds settings of git's behind the count ones that are there: the proxy
// once more, since http.proxy of a user goes before HTTPS_PROXY.
func (c childEnv) git(set map[string]string, count string) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		n = 0 // not set, or nothing that git would take
	}
	for _, s := range []struct{ key, value string }{{"http.proxy", c.url()}, {"http.proxyAuthMethod", "basic"}} {
		set[fmt.Sprintf("GIT_CONFIG_KEY_%d", n)], set[fmt.Sprintf("GIT_CONFIG_VALUE_%d", n)] = s.key, s.value
		n++
	}
	set["GIT_CONFIG_COUNT"] = strconv.Itoa(n)
}

// quoteNode quotes a path for NODE_OPTIONS, where a space parts options.
func quoteNode(path string) string {
	if !strings.ContainsAny(path, ` "\`) {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// lookupIn returns how to find a variable in an environment.
func lookupIn(env []string) func(string) string {
	return func(name string) string {
		for _, kv := range slices.Backward(env) { // the last one counts
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value
			}
		}
		return ""
	}
}
