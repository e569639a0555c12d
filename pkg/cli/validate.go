package cli

import (
	"fmt"

	"golang.org/x/net/http/httpproxy"

	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/pki"
)

// validator returns what asks services about secrets: by the proxy that the
// environment names, and with the roots that the daemon has for upstreams.
func (a *app) validator() (grants.Validator, error) {
	roots, err := pki.UpstreamRoots(a.settings.UpstreamCA)
	if err != nil {
		return grants.Validator{}, fmt.Errorf("upstream_ca: %w", err)
	}
	get := func(upper, lower string) string {
		if v := a.process.Getenv(upper); v != "" {
			return v
		}
		return a.process.Getenv(lower)
	}
	proxy := httpproxy.Config{
		HTTPProxy:  get("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: get("HTTPS_PROXY", "https_proxy"),
		NoProxy:    get("NO_PROXY", "no_proxy"),
	}
	return grants.Validator{Roots: roots, Proxy: proxy.ProxyFunc()}, nil
}
