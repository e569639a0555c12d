package routing

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// hopsHeader counts how often a request came through here. A service that is
// registered at our own address would pass its requests on for ever.
const (
	hopsHeader = "X-Moat-Hops"
	maxHops    = 8
)

// A verdict says what becomes of a request: it is forwarded to addr, or
// answered with a page.
type verdict struct {
	passage passage
	page    page // without a status if the request is forwarded
}

// decide says what becomes of a request, whatever its path.
func decide(t *RouteTable, r *http.Request) verdict {
	to, err := parseTarget(r.Host)
	switch {
	case errors.Is(err, errForeign):
		return verdict{page: misdirected()}
	case errors.Is(err, errDeep):
		return verdict{page: notFound("unknown_host", "no such host: a host here is service.agent.localhost or agent.localhost", t.All())}
	case err != nil:
		return verdict{page: badHost(err)}
	case r.Method == http.MethodConnect:
		return verdict{page: notAllowed("CONNECT is for the proxy, which is at another port", "GET, HEAD")}
	case to == target{}:
		return verdict{page: home(t, r)}
	}
	a, ok := t.Agent(to.agent)
	if !ok {
		return verdict{page: notFound("unknown_agent", fmt.Sprintf("no agent is called %q", to.agent), t.All())}
	}
	if to.service == "" {
		to.service = a.Default
	}
	addr, ok := a.Addr(to.service)
	if !ok {
		return verdict{page: notFound("unknown_service", fmt.Sprintf("agent %s has no service %q", a.Name, to.service), []*Agent{a})}
	}
	hops, err := strconv.Atoi(r.Header.Get(hopsHeader))
	if err != nil || hops < 0 {
		hops = 0 // the first time, or nonsense of the client's
	}
	if hops >= maxHops {
		return verdict{page: looping(to, addr)}
	}
	return verdict{passage: passage{to, addr, hops + 1}}
}

// home is what localhost itself answers.
func home(t *RouteTable, r *http.Request) page {
	switch {
	case r.URL.Path != "/":
		return notFound("unknown_path", "localhost has only the page /", t.All())
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return notAllowed("this page is only for reading", "GET, HEAD")
	}
	return index(t.All())
}
