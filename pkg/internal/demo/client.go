package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

// client is the agent: it makes a request, waits for a line, and makes another.
// It knows of the proxy and the CA only what its environment says, and prints
// that and all that it sends and gets.
func client(target string) error {
	for _, kv := range os.Environ() {
		fmt.Println("env", kv)
	}
	c, err := proxied()
	if err != nil {
		return err
	}
	lines := bufio.NewReader(os.Stdin)
	for range requests {
		if err := request(c, target); err != nil {
			return err
		}
		if _, err := lines.ReadString('\n'); err != nil {
			return fmt.Errorf("wait for the next step: %w", err)
		}
	}
	return nil
}

// proxied returns a client that does what curl does by itself with HTTPS_PROXY
// and SSL_CERT_FILE. (Go's own never uses a proxy for localhost.)
func proxied() (*http.Client, error) {
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil || proxy.Host == "" {
		return nil, fmt.Errorf("HTTPS_PROXY names no proxy")
	}
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyURL(proxy),
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // each request opens a connection of its own
	}}, nil
}

func request(c *http.Client, target string) error {
	req, err := http.NewRequest(http.MethodGet, target, nil) //nolint:noctx // the demo has a limit as a whole
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("DEMO_TOKEN"))
	sent, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		return err
	}
	fmt.Printf("request %q\n", sent)
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	fmt.Printf("answer %d %s\n", res.StatusCode, body)
	return nil
}
