package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

const (
	// leafLife is short, since nobody can revoke a leaf, and long against the
	// life of a container that was stopped and goes on.
	leafLife = 7 * 24 * time.Hour
	// leafSkew is how far the clock of a container may be behind ours.
	leafSkew = time.Hour
	// leafRest is what is left of a leaf, at least, when a tunnel begins.
	leafRest = 24 * time.Hour
	// maxCommonName is ub-common-name of RFC 5280, appendix A.1, in bytes.
	maxCommonName = 64
)

// A leaf is a certificate that is signed when it is first asked for.
type leaf struct {
	from, until time.Time // when it may be shown
	cert        func() (*tls.Certificate, error)
}

func (l *leaf) goodAt(now time.Time) bool { return !now.Before(l.from) && now.Before(l.until) }

// newLeaf returns the leaf for name, not yet signed. It is renewed leafRest
// before its end, unless it ends with the CA, when renewing would gain nothing.
func (ca *CA) newLeaf(name string, now time.Time) *leaf {
	from, end := now.Add(-leafSkew), now.Add(leafLife)
	until := end.Add(-leafRest)
	if end.After(ca.NotAfter()) {
		end, until = ca.NotAfter(), ca.NotAfter()
	}
	sign := func() (*tls.Certificate, error) {
		if !now.Before(end) {
			return nil, errors.New("the CA is expired")
		}
		return ca.signLeaf(name, from, end)
	}
	return &leaf{from, until, sync.OnceValues(sign)}
}

// signLeaf returns a certificate for name with a key of its own.
func (ca *CA) signLeaf(name string, from, end time.Time) (*tls.Certificate, error) {
	template, err := leafTemplate(name)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template.NotBefore, template.NotAfter = from.UTC(), end.UTC()
	if template.SubjectKeyId, err = keyID(key.Public()); err != nil {
		return nil, err
	}
	cert, err := sign(template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw, ca.cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// leafTemplate returns what stands in a certificate for name. Without a subject,
// as a long name leaves it, crypto/x509 makes the alternative names critical.
func leafTemplate(name string) (*x509.Certificate, error) {
	host, err := hosts.Parse(name)
	if err != nil || host.Name != name {
		return nil, errors.New("not a host name in its canonical spelling")
	}
	template := &x509.Certificate{
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(name) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: name}
	}
	if addr, ok := host.Addr(); ok {
		template.IPAddresses = []net.IP{addr.AsSlice()}
	} else {
		template.DNSNames = []string{name}
	}
	return template, nil
}
