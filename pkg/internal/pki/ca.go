// Package pki is the certificate authority that runs trust, and the
// certificates that it signs for the hosts they talk to.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"
)

const (
	caYears = 10
	// caSkew is how far the clock of a container may be behind ours.
	caSkew = 24 * time.Hour
)

// A CA signs certificates for hosts. It does not change, and is safe for
// concurrent use.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Create returns a new CA that is valid for ten years from now. It is in memory
// only; see [CA.Save].
func Create(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a CA key: %w", err)
	}
	return selfSign(key, now)
}

// selfSign returns a CA of key. Its name and key id follow from the key, so a
// second certificate for one key verifies whatever was signed under the first.
func selfSign(key crypto.Signer, now time.Time) (*CA, error) {
	id, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	now = now.UTC()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "moat local CA " + hex.EncodeToString(id[:4])},
		NotBefore:             now.Add(-caSkew),
		NotAfter:              now.AddDate(caYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true, // it signs leaves, and no other CA
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId:          id,
		AuthorityKeyId:        id,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the CA certificate: %w", err)
	}
	return &CA{cert, key}, nil
}

// sign returns the certificate of pub after template, signed with the key of parent.
func sign(template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// keyID returns the identifier of a public key after RFC 7093, section 2,
// method 1: the first 160 bits of the SHA-256 of its bits.
func keyID(pub crypto.PublicKey) ([]byte, error) {
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T, and only ECDSA is known", pub)
	}
	bits, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	sum := sha256.Sum256(bits)
	return sum[:20], nil
}

// CertificatePEM returns the certificate of the CA, which is no secret.
func (ca *CA) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: ca.cert.Raw})
}

// NotAfter returns when the CA ends, and with it everything it signed.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }
