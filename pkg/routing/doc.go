// Package routing knows the way from a host name to a container's address. It
// has the table of routes, "web.myapp.localhost" to 127.0.0.1:49153, and the
// reverse proxy that serves them.
//
// # Names
//
// service.agent.localhost is a service of an agent, agent.localhost its default
// service, and localhost (or a loopback address) a page that lists them all. Any
// other host is refused with 421, whatever it resolves to: a web page that makes
// its own name resolve to this machine reaches no agent.
//
// The default service is the only one there is; else the first of web, app,
// http and default that the agent has; else the first by name.
//
// # Requests
//
// The Host header goes through as the client sent it, because servers and
// frameworks compare it with Origin and make links of it. X-Forwarded-For,
// X-Forwarded-Host and X-Forwarded-Proto are set here; what the client put there
// is dropped. Services are spoken to in HTTP/1.1, without TLS.
package routing
