package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/framing"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/inject"
)

// upstreamFailed answers a request whose upstream did not.
func upstreamFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errRejected) {
		return // there is another attempt
	}
	ex := exchangeOf(r)
	v := failure(ex.head.Target, err)
	if wrong := framing.Check(r.Context()); wrong != nil { // in the body
		v = malformed(wrong)
		w.Header().Set("Connection", "close")
	}
	if lie := ex.upload.broken(); lie != nil && v.Reason == reasonUpstream {
		v = malformed(lie)
	}
	if ex.guard.caught() {
		v, _ = strayToken(ex.run, Head{Token: true})
	}
	v.Rule, v.Rules = ex.verdict.Rule, ex.verdict.Rules
	f := ex.refuse(v)
	if v.Reason != reasonAddress && v.Reason != reasonMalformed && v.Reason != reasonToken { // those did not fail, they were blocked
		f.header, ex.failed = "X-Moat-Error", true
	}
	f.write(w, r)
}

// failure says what went wrong on the way to the upstream.
func failure(target hosts.Host, err error) Verdict {
	v := Verdict{Status: http.StatusBadGateway, Reason: reasonUpstream, Text: fmt.Sprintf("%s did not answer: %v", target, err)}
	var (
		addr     *errAddress
		answer   *inject.AnswerError
		dns      *net.DNSError
		op       *net.OpError
		verify   *tls.CertificateVerificationError
		timedOut net.Error
	)
	switch {
	case errors.As(err, &addr):
		v.Status, v.Reason, v.Text = http.StatusForbidden, reasonAddress, addr.Error()
		if addr.class != hosts.ClassMetadata {
			v.Hint = fmt.Sprintf("name the host without a wildcard: moat run --allow %s", allowLine(target))
		}
	case errors.As(err, &answer):
		v.Reason, v.Text = answer.Reason, fmt.Sprintf("%s answered, but %v", target, answer)
	case errors.Is(err, context.Canceled):
		v.Reason, v.Text = reasonCanceled, "the client went away"
	case errors.As(err, &dns):
		v.Reason, v.Text = "dns", fmt.Sprintf("the name %s could not be looked up: %s", dns.Name, dns.Err)
	case errors.As(err, &verify):
		v.Reason, v.Text = "tls", fmt.Sprintf("the certificate of %s is not to be trusted: %v", target, verify.Err)
		v.Hint = "for a private CA, set upstream_ca in config.yaml"
	case errors.As(err, &timedOut) && timedOut.Timeout():
		v.Status, v.Reason, v.Text = http.StatusGatewayTimeout, "timeout", fmt.Sprintf("%s did not answer in time", target)
	case errors.As(err, &op) && op.Op == "dial":
		v.Reason, v.Text = "connect", fmt.Sprintf("%s cannot be reached: %v", target, err)
	}
	return v
}
