package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

const (
	handshakeTimeout = 15 * time.Second // for TLS with the upstream
	poolIdle         = 90 * time.Second // an upstream connection without a request
	poolPerHost      = 64               // idle connections kept for one host
	// pingAfter and pingTimeout find the HTTP/2 connections that a sleep of the
	// machine has killed, which TCP alone reports after a quarter of an hour.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// pools are the two pools of upstream connections. They are apart because a
// connection to a special-purpose address must not serve a run that may not
// reach it.
type pools struct{ public, special *http.Transport }

func newPools(n network, roots *x509.CertPool) pools {
	return pools{
		public:  newTransport(&dialer{network: n}, roots),
		special: newTransport(&dialer{network: n, special: true}, roots),
	}
}

// RoundTrip implements [http.RoundTripper].
func (p pools) RoundTrip(r *http.Request) (*http.Response, error) {
	if exchangeOf(r).verdict.Special {
		return p.special.RoundTrip(r)
	}
	return p.public.RoundTrip(r)
}

// closeIdle closes the connections that no request uses.
func (p pools) closeIdle() {
	p.public.CloseIdleConnections()
	p.special.CloseIdleConnections()
}

// newTransport returns the way to the upstreams. There is no time limit on the
// first byte of an answer: models think for minutes.
func newTransport(d *dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:           d.dial,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   handshakeTimeout,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DisableCompression:    true, // a body goes through as it is
		MaxIdleConnsPerHost:   poolPerHost,
		IdleConnTimeout:       poolIdle,
		ExpectContinueTimeout: time.Second,
	}
}
