package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/mitm"
)

// Requests that cannot be judged.
var (
	errForm   = errors.New("this is a proxy: the request needs an absolute URL or a CONNECT")
	errNested = errors.New("a CONNECT inside a tunnel leads nowhere")
	errTrace  = errors.New("TRACE would show the credential that was injected")
	errUser   = errors.New("the URL has a user in it; send that as Authorization")
	errNoHost = errors.New("the Host header is empty")
	errMethod = errors.New("the method is not a word")
	errLength = errors.New("Content-Length is not one number")
)

// connectTarget returns where a CONNECT goes. It reads the target as it was
// sent: net/http overlooks a user in front of it, and takes the Host header
// where there is a path.
func connectTarget(r *http.Request) (hosts.Host, error) {
	h, err := hosts.Parse(r.RequestURI)
	if err != nil {
		return h, fmt.Errorf("CONNECT: %w", err)
	}
	if h.Port == 0 {
		return h, fmt.Errorf("CONNECT %s: the port is missing", h)
	}
	return h, nil
}

// headOf reads the head of a request that is not a CONNECT, t being the tunnel
// that it came through, nil for none. It is where the forms of a request meet;
// what comes after does not tell them apart.
func headOf(r *http.Request, t *mitm.Tunnel) (Head, error) {
	if t == nil {
		return plainHead(r)
	}
	h := Head{Scheme: "https", Target: t.Target, Path: pathOf(r)}
	if r.Method == http.MethodConnect {
		return h, errNested
	}
	if r.Method == http.MethodTrace {
		return h, errTrace
	}
	if err := h.fields(r); err != nil {
		return h, err
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return h, errNoHost // it may be missing in HTTP/1.0 alone
	}
	if r.Host != "" {
		if err := h.name("Host", r.Host); err != nil {
			return h, err
		}
	}
	if r.TLS != nil && r.TLS.ServerName != "" {
		if err := h.name("SNI", r.TLS.ServerName); err != nil {
			return h, err
		}
	}
	if r.URL.User != nil {
		return h, errUser
	}
	if r.URL.IsAbs() && (r.URL.Scheme != "https" || !sameHost(r.URL.Host, t.Target)) {
		return h, fmt.Errorf("the URL %s://%s in a tunnel to %s is not that of the tunnel", r.URL.Scheme, r.URL.Host, t.Target)
	}
	return h, nil
}

// plainHead reads a request that names its upstream itself.
func plainHead(r *http.Request) (Head, error) {
	if r.Method == http.MethodTrace {
		return Head{}, errTrace
	}
	ports := map[string]int{"http": 80, "https": 443}
	port, ok := ports[r.URL.Scheme]
	if !ok || r.URL.Host == "" {
		return Head{}, errForm
	}
	if r.URL.User != nil {
		return Head{}, errUser
	}
	target, err := hosts.Parse(r.URL.Host)
	if err != nil {
		return Head{}, err
	}
	// net/http has replaced the Host header by that of the URL, as RFC 9112,
	// section 3.2.2, asks of a proxy; so there is no other name to compare.
	return Head{Scheme: r.URL.Scheme, Target: target.OrPort(port), Path: pathOf(r), Server: serverName(r)}, nil
}

// pathOf returns the path of a request, as it goes out.
func pathOf(r *http.Request) string {
	if path := r.URL.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// name adds a name that must agree with the target.
func (h *Head) name(where, text string) error {
	host, err := hosts.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if where == "Host" {
		host = host.OrPort(443) // no port in Host means that of the scheme
	}
	h.Names = append(h.Names, Name{Where: where, Host: host})
	return nil
}

// fields checks what net/http checks in HTTP/1 alone: in HTTP/2 a Host may stand
// beside :authority, and the first of several lengths counts.
func (h *Head) fields(r *http.Request) error {
	if !isToken(r.Method) {
		return errMethod
	}
	for _, text := range r.Header["Host"] {
		if err := h.name("Host", text); err != nil {
			return err
		}
	}
	if length := r.Header["Content-Length"]; len(length) > 1 || len(length) == 1 && strings.Trim(length[0], "0123456789") != "" {
		return errLength
	}
	return nil
}

// isToken reports whether s, a method, is of the letters of RFC 9110, section
// 5.6.2, in which no space and no end of line is.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func sameHost(text string, target hosts.Host) bool {
	h, err := hosts.Parse(text)
	return err == nil && h.OrPort(443) == target
}
