package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"testing"
	"time"
)

func mustCreate(tb testing.TB) *CA {
	tb.Helper()
	ca, err := Create(time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return ca
}

func TestCreate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	ca, err := Create(now)
	if err != nil {
		t.Fatal(err)
	}
	cert := ca.cert
	for _, check := range []struct {
		name string
		ok   bool
	}{
		{"it is a CA", cert.IsCA && cert.BasicConstraintsValid},
		{"it signs no other CA", cert.MaxPathLen == 0 && cert.MaxPathLenZero},
		{"it signs certificates and revocation lists, and no more", cert.KeyUsage == x509.KeyUsageCertSign|x509.KeyUsageCRLSign},
		{"its key is on P-256", cert.PublicKeyAlgorithm == x509.ECDSA && cert.SignatureAlgorithm == x509.ECDSAWithSHA256},
		{"it has a key id", len(cert.SubjectKeyId) == 20 && bytes.Equal(cert.SubjectKeyId, cert.AuthorityKeyId)},
		{"its serial number is random", cert.SerialNumber.Sign() > 0 && cert.SerialNumber.BitLen() > 64},
		{"it is signed by itself", cert.CheckSignatureFrom(cert) == nil},
		{"it is good for a clock that is a day behind", cert.NotBefore.Equal(now.Add(-24 * time.Hour).Truncate(time.Second))},
		{"it ends in ten years", ca.NotAfter().Equal(time.Date(2036, 1, 2, 2, 4, 5, 0, time.UTC))},
	} {
		if !check.ok {
			t.Errorf("of the certificate that Create made it is not true that %s", check.name)
		}
	}
	if name := cert.Subject.String(); !regexp.MustCompile(`^CN=moat local CA [0-9a-f]{8}$`).MatchString(name) {
		t.Errorf("Create made a CA named %q", name)
	}
}

func TestTwoCAsDiffer(t *testing.T) {
	a, b := mustCreate(t), mustCreate(t)
	if a.cert.Subject.String() == b.cert.Subject.String() || a.cert.SerialNumber.Cmp(b.cert.SerialNumber) == 0 {
		t.Errorf("Create made %v and %v, with one name or serial number", a.cert.Subject, b.cert.Subject)
	}
}

func TestCertificatePEMHasNoKey(t *testing.T) {
	ca := mustCreate(t)
	block, rest := pem.Decode(ca.CertificatePEM())
	if block == nil || block.Type != pemCertificate || !bytes.Equal(block.Bytes, ca.cert.Raw) || len(rest) != 0 {
		t.Errorf("CertificatePEM = %s, want the certificate and nothing else", ca.CertificatePEM())
	}
}

// A certificate made anew from the key, as LoadOrCreate does after a power cut,
// must verify what the first one signed.
func TestSecondCertificateOfOneKey(t *testing.T) {
	first := mustCreate(t)
	key, ok := first.key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the key is a %T", first.key)
	}
	second, err := selfSign(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := NewLeaves(first).Get("a.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(leaf, second, "a.example"); err != nil {
		t.Errorf("a leaf of the first certificate under the second: %v", err)
	}
}

func BenchmarkCreate(b *testing.B) {
	for b.Loop() {
		if _, err := Create(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
