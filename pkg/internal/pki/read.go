package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// read reads both files of dir.
func read(dir string) (*CA, error) {
	cert, certErr := readCertificate(filepath.Join(dir, certFile))
	key, keyErr := readKey(filepath.Join(dir, keyFile))
	noCert, noKey := errors.Is(certErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist)
	switch {
	case noCert && noKey:
		return nil, fs.ErrNotExist
	case noKey:
		return nil, errors.New("ca.crt is there but ca.key is not; restore the key, or delete the certificate to start anew")
	case keyErr != nil:
		return nil, keyErr
	case noCert:
		return nil, errNoCertificate
	case certErr != nil:
		return nil, certErr
	}
	return &CA{cert, key}, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, pemCertificate)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return cert, nil
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others may use %s (mode %04o); run chmod 600 on it, and make a new CA if they could have", path, mode)
	}
	der, err := readPEM(path, pemKey)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse %s: not a private key in PKCS #8", path) // err could quote the key
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of type %T, and only ECDSA is known", path, key)
	}
	return ec, nil
}

// readPEM returns the first block of the file at path, which must be of type kind.
func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s does not begin with a PEM block of type %s", path, kind)
	}
	return block.Bytes, nil
}

// check says why ca cannot sign at now.
func (ca *CA) check(now time.Time) error {
	pub, ok := ca.cert.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || !pub.Equal(ca.key.Public()):
		return errors.New("ca.key is not the key of ca.crt")
	case !ca.cert.IsCA || ca.cert.KeyUsage&x509.KeyUsageCertSign == 0 || len(ca.cert.SubjectKeyId) == 0:
		return errors.New("ca.crt is not the certificate of a CA with a key id")
	case !now.Before(ca.cert.NotAfter):
		return fmt.Errorf("ca.crt expired on %s; delete both files to start anew", ca.cert.NotAfter.Format(time.DateOnly))
	}
	return nil
}
