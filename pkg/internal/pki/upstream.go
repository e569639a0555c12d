package pki

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// UpstreamRoots returns the system's roots and those of a file in PEM, nil for the
// system's alone where path is "".
func UpstreamRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine without roots of its own
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", filepath.Base(path))
	}
	return roots, nil
}
