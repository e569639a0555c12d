package routing

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	dialTimeout = 10 * time.Second // for a connection to a service; a container that is gone does not answer
	poolIdle    = 60 * time.Second // a connection to a service without a request
	poolPerHost = 64               // idle connections kept for one service
)

// A passage is a request on its way to a service.
type passage struct {
	to   target
	addr string // host:port
	hops int
}

type passageKey struct{}

func passageOf(r *http.Request) passage {
	p, _ := r.Context().Value(passageKey{}).(passage) // forward has put it there
	return p
}

// forward sends a request to a service, and its answer back.
func (rt *Router) forward(w http.ResponseWriter, r *http.Request, p passage) {
	if r.ProtoMajor == 1 { // HTTP/2 does this by itself; only a w of tests does not support it
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	rt.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), passageKey{}, p)))
}

// newTransport returns the way to the services. Nothing but the connection has a
// time limit: an answer may take its time, and an event stream never ends.
func newTransport(opts Options) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: opts.Control}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		DisableCompression:    true, // a body goes through as it is
		MaxIdleConnsPerHost:   poolPerHost,
		IdleConnTimeout:       poolIdle,
		ExpectContinueTimeout: time.Second,
	}
}

func (rt *Router) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     rt.transport,
		FlushInterval: -1, // each event goes out as it comes
		BufferPool:    new(buffers),
		ErrorHandler:  rt.failed,
		ErrorLog:      log.New(io.Discard, "", 0), // a client or a service that went away in the middle
	}
}

// rewrite makes the request for the service; hop-by-hop headers and the Forwarded
// and X-Forwarded-For, -Host and -Proto of the client are gone from it already.
func rewrite(pr *httputil.ProxyRequest) {
	p := passageOf(pr.In)
	pr.Out.URL.Scheme, pr.Out.URL.Host = "http", p.addr
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as the client wrote it
	pr.Out.Host = pr.In.Host
	for name := range pr.Out.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			delete(pr.Out.Header, name)
		}
	}
	pr.Out.Header.Set(hopsHeader, strconv.Itoa(p.hops))
	pr.SetXForwarded()
}

// failed answers for a service that did not.
func (rt *Router) failed(w http.ResponseWriter, r *http.Request, err error) {
	p := passageOf(r)
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(http.StatusBadGateway) // the client is gone; this is for the records of net/http
		return
	}
	rt.opts.Log.WithFields(logrus.Fields{"agent": p.to.agent, "service": p.to.service, "address": p.addr}).
		WithError(err).Debug("service does not answer")
	answer(w, r, unreachable(p.to, err))
}
