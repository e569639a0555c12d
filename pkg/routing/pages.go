package routing

import (
	"fmt"
	"net/http"
)

// A page is an answer of our own, as HTML or as JSON.
type page struct {
	Status int          `json:"-"`
	Title  string       `json:"-"`
	Allow  string       `json:"-"`               // methods, for 405
	Error  string       `json:"error,omitempty"` // what is wrong, "" on the index
	Code   string       `json:"code,omitempty"`  // for programs; the text may change
	Hint   string       `json:"hint,omitempty"`  // what to do about it
	Agents []agentLinks `json:"agents,omitzero"` // nil where they are nobody's business

	listed []*Agent // what Agents is made of, once it is known where the client reaches us
}

// agentLinks are the addresses of an agent's services, for a browser.
type agentLinks struct {
	Name     string `json:"name"`
	URL      string `json:"url"` // of the default service
	Default  string `json:"default"`
	Services []link `json:"services"`
}

type link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// hintRegister is how routes come about.
const hintRegister = "Routes are there while their run is registered; moat ls lists the runs."

func index(agents []*Agent) page {
	return page{Status: http.StatusOK, Title: "Agents", listed: agents}
}

func notFound(code, text string, agents []*Agent) page {
	return page{Status: http.StatusNotFound, Title: "Not found", Error: text, Code: code, Hint: hintRegister, listed: agents}
}

func notAllowed(text, methods string) page {
	return page{Status: http.StatusMethodNotAllowed, Title: "Not allowed", Error: text, Code: "method_not_allowed", Allow: methods}
}

func badHost(err error) page {
	return page{
		Status: http.StatusBadRequest, Title: "Bad request", Error: "the Host header makes no sense: " + err.Error(), Code: "bad_host",
		Hint: "Ask for service.agent.localhost.",
	}
}

// misdirected lists nothing: who asks may be a web page whose name was made to
// resolve to this machine, and it can read the answer.
func misdirected() page {
	return page{
		Status: http.StatusMisdirectedRequest, Title: "Not served here", Code: "foreign_host",
		Error: "only localhost, names below it and loopback addresses are served here",
		Hint:  "Ask for service.agent.localhost.",
	}
}

func looping(to target, addr string) page {
	return page{
		Status: http.StatusLoopDetected, Title: "Loop", Code: "loop",
		Error: fmt.Sprintf("service %s of agent %s leads back here", to.service, to.agent),
		Hint:  fmt.Sprintf("It is registered at %s; register the address that the service itself listens on.", addr),
	}
}

// unreachable is about a service that does not answer; what went wrong names its
// address.
func unreachable(to target, err error) page {
	return page{
		Status: http.StatusBadGateway, Title: "The service does not answer", Code: "service_unreachable",
		Error: fmt.Sprintf("service %s of agent %s does not answer: %v", to.service, to.agent, err),
		Hint:  "See whether it has started, and listens on the port that was registered and on all addresses of its container (0.0.0.0).",
	}
}
