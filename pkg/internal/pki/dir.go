package pki

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The files of a CA's directory, and the types of the PEM blocks in them.
const (
	certFile = "ca.crt"
	keyFile  = "ca.key"

	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY" // PKCS #8
)

// errNoCertificate reports a key that has no certificate beside it.
var errNoCertificate = errors.New("ca.key is there but ca.crt is not")

// Load reads the CA that [CA.Save] wrote to dir. The error wraps
// [fs.ErrNotExist] only if there is no file of a CA at all. It is an error if
// one of the two is missing, if they do not belong together, if the certificate
// is expired, and if others than the owner may read or write the key.
func Load(dir string) (*CA, error) { return load(dir, time.Now()) }

func load(dir string, now time.Time) (*CA, error) {
	ca, err := read(dir)
	if err == nil {
		err = ca.check(now)
	}
	if err != nil {
		return nil, fmt.Errorf("load the CA of %s: %w", dir, err)
	}
	return ca, nil
}

// LoadOrCreate loads the CA of dir; if dir has none it creates one, saves it
// and reports created. A key without a certificate, which is what a power cut in
// the midst of Save leaves behind, gets a new certificate of the same name. Only
// one process at a time may call it, the daemon once it holds the database.
func LoadOrCreate(dir string, now time.Time) (ca *CA, created bool, err error) {
	ca, err = load(dir, now)
	switch {
	case err == nil:
		return ca, false, nil
	case errors.Is(err, errNoCertificate):
		ca, err = certify(dir, now)
	case errors.Is(err, fs.ErrNotExist):
		ca, err = Create(now)
	}
	if err != nil {
		return nil, false, err
	}
	if err := ca.Save(dir); err != nil {
		return nil, false, err
	}
	return ca, true, nil
}

// certify makes a CA of the key that is already in dir.
func certify(dir string, now time.Time) (*CA, error) {
	key, err := readKey(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, fmt.Errorf("load the CA of %s: %w", dir, err)
	}
	return selfSign(key, now)
}

// Save writes the CA to dir, which it makes if need be, for this user alone. It
// replaces the CA that was there. When it returns nil, the files are on disk.
func (ca *CA) Save(dir string) error {
	if err := ca.save(dir); err != nil {
		return fmt.Errorf("save the CA to %s: %w", dir, err)
	}
	return nil
}

func (ca *CA) save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory
		return err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	// The key first: a certificate that nobody can sign for would be trusted for nothing.
	key := pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})
	if err := writeFile(filepath.Join(dir, keyFile), key, 0o600); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, certFile), ca.CertificatePEM(), 0o644)
}
