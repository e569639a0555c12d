package providers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// A Validation is a request that tells whether a credential is good: any answer of
// 2xx says so.
type Validation struct {
	Method string      // GET, HEAD or POST
	URL    string      // https, or on this machine; of a host that is sent the credential
	Header http.Header // what it needs beside the credential
	Body   string      // of a POST
	// Rejects are the statuses that say that the credential is bad. Others, such as
	// 500, say nothing of it.
	Rejects []int
}

// rejects are the statuses that refuse a credential where the file names none.
var rejects = []int{http.StatusUnauthorized, http.StatusForbidden}

// Validation returns how a credential is validated; false if there is no way.
func (p *Provider) Validation() (Validation, bool) {
	if p.validation == nil {
		return Validation{}, false
	}
	v := *p.validation
	v.Header, v.Rejects = v.Header.Clone(), slices.Clone(v.Rejects)
	return v, true
}

// validation reads "validate". The URL is sent the credential, so it must be
// where p sends it anyway, and nobody may listen on the way.
func (v value) validation(p *Provider) *Validation {
	if v.absent() {
		return nil
	}
	f := v.fields("url", "method", "headers", "body", "rejects")
	check := &Validation{
		Method: f["method"].method(), URL: f["url"].target(p), Header: http.Header{},
		Body: f["body"].textOr(""), Rejects: f["rejects"].statuses(),
	}
	if check.Body != "" && check.Method != http.MethodPost {
		f["body"].fail("is sent with POST alone")
	}
	names, values := f["headers"].pairs()
	for i, name := range names {
		header := values[i].named(name)
		if slices.ContainsFunc(p.inject, func(i injection) bool { return strings.EqualFold(i.header, header) }) {
			values[i].fail("the credential is sent in this header")
		}
		check.Header.Set(header, values[i].oneLine())
	}
	return check
}

// target reads the URL of a validation.
func (v value) target(p *Provider) string {
	text, host, ok := v.urlFor("the credential is")
	if !ok {
		return ""
	}
	if !p.sendsTo(host) {
		v.fail("the provider sends no credential to " + host.String())
	}
	return text
}

// urlFor reads a URL to which what is sent, and that must not be in clear: "secrets
// are". It reports false if there is no host that it leads to.
func (v value) urlFor(what string) (text string, host hosts.Host, ok bool) {
	text = v.oneLine()
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		v.fail("must be a URL with a host, and without a user or a fragment")
		return "", hosts.Host{}, false
	}
	if host, err = hosts.Parse(u.Host); err != nil {
		v.fail(err.Error())
		return "", hosts.Host{}, false
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !host.IsLoopback()) {
		v.fail("must be https, as " + what + " sent there")
	}
	return text, host, true
}

func (v value) method() string {
	method := v.textOr(http.MethodGet)
	if methods := []string{http.MethodGet, http.MethodHead, http.MethodPost}; !slices.Contains(methods, method) {
		v.fail("must be one of " + strings.Join(methods, ", "))
	}
	return method
}

// statuses reads a list of statuses.
func (v value) statuses() []int {
	if v.absent() {
		return rejects
	}
	var all []int
	for _, e := range v.list() {
		n, err := strconv.Atoi(e.number())
		if err != nil || n < 400 || n > 499 {
			e.fail("must be a status from 400 to 499")
		}
		all = append(all, n)
	}
	return all
}
