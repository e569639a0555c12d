package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// socket is the path of the API's socket.
type socket string

// ask asks for the daemon's health.
func (s socket) ask(ctx context.Context) error {
	conn, err := dial(ctx, "unix", string(s))
	if err != nil {
		return err
	}
	defer conn.Close()
	body, err := get(conn, "moatd", "/v1/health")
	if err == nil && len(body) == 0 {
		err = errors.New("an empty answer")
	}
	return err
}

// A tunnel is the way to an origin, through the proxy.
type tunnel struct {
	proxy, origin, token string
	roots                *x509.CertPool // the CA of the daemon
	want                 string         // the origin's answer
}

// trust reads the CA.
func (t *tunnel) trust(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the CA of the daemon: %w", err)
	}
	t.roots = x509.NewCertPool()
	if !t.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s has no certificate", file)
	}
	return nil
}

// ask does what any client of a proxy does: CONNECT, TLS, one request.
func (t tunnel) ask(ctx context.Context) error {
	conn, err := dial(ctx, "tcp", t.proxy)
	if err != nil {
		return err
	}
	defer conn.Close()
	if t.token == "" {
		return t.challenged(conn)
	}
	if err = t.connect(conn); err != nil {
		return fmt.Errorf("CONNECT: %w", err)
	}
	host, _, err := net.SplitHostPort(t.origin)
	if err != nil {
		return err
	}
	inner := tls.Client(conn, &tls.Config{RootCAs: t.roots, ServerName: host, MinVersion: tls.VersionTLS12})
	if err = inner.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	body, err := get(inner, t.origin, "/")
	if err == nil && body != t.want {
		err = fmt.Errorf("answer %.100q, want %q", body, t.want)
	}
	return err
}

// challenged asks without a token, which is answered 407.
func (t tunnel) challenged(conn net.Conn) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", t.origin, t.origin); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusProxyAuthRequired {
		return fmt.Errorf("status %s without a token", res.Status)
	}
	return nil
}

func (t tunnel) connect(conn net.Conn) error {
	credentials := base64.StdEncoding.EncodeToString([]byte("moat:" + t.token))
	_, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\n", t.origin, t.origin, credentials)
	if err != nil {
		return err
	}
	// Nothing follows the head before we have spoken, so that nothing is lost in the buffer.
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	return nil
}

// dial opens a connection that ends with ctx.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// get asks for a page and returns it; the status has to be 200.
func get(conn net.Conn, host, path string) (string, error) {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host); err != nil {
		return "", fmt.Errorf("ask: %w", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s: %.200q", res.Status, body)
	}
	return string(body), nil
}
