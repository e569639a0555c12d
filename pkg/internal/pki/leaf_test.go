package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const day = 24 * time.Hour

// names has one of each kind that a client may ask for.
var names = []string{
	"api.github.com", "localhost", "my_service.local", "xn--bcher-kva.example", "127.0.0.1", "::1", "2001:db8::1",
	strings.Repeat("a", 60) + ".com",                               // 64 bytes, the most for a common name
	strings.Repeat("a", 61) + ".com",                               // one more
	strings.Repeat(strings.Repeat("a", 62)+".", 3) + "example.com", // 200 bytes
}

// verify checks leaf as a client does that trusts ca.
func verify(leaf *tls.Certificate, ca *CA, name string) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	_, err := leaf.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, DNSName: name, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

func mustGet(t *testing.T, l *Leaves, name string) *tls.Certificate {
	t.Helper()
	cert, err := l.Get(name)
	if err != nil {
		t.Fatalf("Get(%q) = %v", name, err)
	}
	return cert
}

func TestGoVerifiesLeaves(t *testing.T) {
	ca := mustCreate(t)
	l := NewLeaves(ca)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if err := verify(mustGet(t, l, name), ca, name); err != nil {
				t.Errorf("the certificate for %q: %v", name, err)
			}
			if verify(mustGet(t, l, name), mustCreate(t), name) == nil {
				t.Errorf("the certificate for %q verifies under another CA", name)
			}
			if verify(mustGet(t, l, name), ca, "other.example") == nil {
				t.Errorf("the certificate for %q verifies for another name", name)
			}
		})
	}
}

func TestLeafHasWhatStrictClientsAskFor(t *testing.T) {
	ca := mustCreate(t)
	now := time.Now()
	for _, name := range names {
		pair := mustGet(t, NewLeaves(ca), name)
		leaf := pair.Leaf
		key, isECDSA := pair.PrivateKey.(*ecdsa.PrivateKey)
		for _, check := range []struct {
			name string
			ok   bool
		}{
			{"the authority key id is the CA's key id", bytes.Equal(leaf.AuthorityKeyId, ca.cert.SubjectKeyId)},
			{"it has a key id of its own", len(leaf.SubjectKeyId) == 20 && !bytes.Equal(leaf.SubjectKeyId, leaf.AuthorityKeyId)},
			{"it is no CA, and says so", !leaf.IsCA && leaf.BasicConstraintsValid},
			{"it is for signatures", leaf.KeyUsage == x509.KeyUsageDigitalSignature},
			{"it is for servers", len(leaf.ExtKeyUsage) == 1 && leaf.ExtKeyUsage[0] == x509.ExtKeyUsageServerAuth},
			{"it names one host", len(leaf.DNSNames)+len(leaf.IPAddresses) == 1},
			{"it is good for a clock that is an hour behind", within(leaf.NotBefore, now.Add(-time.Hour))},
			{"it is good for a week", within(leaf.NotAfter, now.Add(7*day))},
			{"the key is its own", isECDSA && key.PublicKey.Equal(leaf.PublicKey)},
			{"the CA stands behind it", len(pair.Certificate) == 2 && bytes.Equal(pair.Certificate[1], ca.cert.Raw)},
			{"the common name is the name or nothing", leaf.Subject.CommonName == name || len(name) > 64 && leaf.Subject.CommonName == ""},
			{"without a subject the names are critical", sanCritical(leaf) == (leaf.Subject.CommonName == "")},
		} {
			if !check.ok {
				t.Errorf("of the certificate for %q it is not true that %s", name, check.name)
			}
		}
	}
}

// within reports whether a is b but for rounding and the time the test takes.
func within(a, b time.Time) bool { return a.Sub(b).Abs() < time.Minute }

func sanCritical(cert *x509.Certificate) bool {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			return ext.Critical
		}
	}
	return false
}

// Python 3.13 sets VERIFY_X509_STRICT; this is what stands behind it.
func TestOpenSSLVerifiesLeavesStrictly(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not on the PATH")
	}
	ca, dir := saved(t)
	l := NewLeaves(ca)
	path := filepath.Join(dir, "leaf.crt")
	strictly := func(option, name string) error {
		out, err := exec.CommandContext(t.Context(), openssl, "verify", "-x509_strict", "-check_ss_sig", "-purpose", "sslserver",
			"-no-CApath", "-CAfile", filepath.Join(dir, certFile), option, name, path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("openssl verify -x509_strict %s %s: %w\n%s", option, name, err, out)
		}
		return nil
	}
	for _, name := range names {
		leaf := mustGet(t, l, name).Leaf
		write(t, path, block(pemCertificate, string(leaf.Raw)))
		option := "-verify_hostname"
		if leaf.IPAddresses != nil {
			option = "-verify_ip"
		}
		if err := strictly(option, name); err != nil {
			t.Error(err)
		}
		if strictly("-verify_hostname", "other.example") == nil {
			t.Errorf("openssl verifies the certificate for %q for another name", name)
		}
	}
}

// A client that has only what Save wrote must come through a real handshake.
func TestHandshake(t *testing.T) {
	_, dir := saved(t)
	ca, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := NewLeaves(ca)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(content(t, dir, certFile))
	server := &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return l.Get(hello.ServerName) }}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		c, errAccept := ln.Accept()
		if errAccept != nil {
			t.Error(errAccept)
			return
		}
		defer c.Close()
		if _, errWrite := c.Write([]byte("hello")); errWrite != nil {
			t.Error(errWrite)
		}
	})
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "api.github.com", MinVersion: tls.VersionTLS12}}
	c, err := dialer.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestLeafFromTheFuture(t *testing.T) {
	now := time.Now()
	leaf := mustCreate(t).newLeaf("a.example", now)
	for _, tt := range []struct {
		name string
		now  time.Time
		want bool
	}{
		{"a clock set back a little", now.Add(-time.Minute), true},
		{"a clock set back by days", now.Add(-2 * day), false},
	} {
		if got := leaf.goodAt(tt.now); got != tt.want {
			t.Errorf("%s: goodAt = %t, want %t", tt.name, got, tt.want)
		}
	}
}
