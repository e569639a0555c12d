package pki

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// WriteBundle writes the system's roots and then the certificate of ca to path,
// with mode 0644, for programs whose setting replaces their own roots. It leaves
// a file that is already as it should be alone, so its time says when the roots
// changed.
func WriteBundle(path string, system []byte, ca *CA) error {
	data := bundle(system, ca.CertificatePEM())
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the old bundle: %w", err)
	}
	if err := writeFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write the bundle %s: %w", path, err)
	}
	return nil
}

// bundle returns the system's roots, if any, and then ours on a line of its own.
func bundle(system, ours []byte) []byte {
	system = bytes.TrimRight(system, "\r\n\t ")
	if len(system) == 0 {
		return ours
	}
	return bytes.Join([][]byte{system, ours}, []byte("\n"))
}

// SystemRoots returns the roots that the system trusts, as PEM. The error says
// where they were looked for.
func SystemRoots() ([]byte, error) { return firstRoots(rootFiles(runtime.GOOS)) }

// rootFiles returns where a system keeps its roots in one file, best first.
func rootFiles(goos string) []string {
	if goos == "darwin" {
		return []string{"/etc/ssl/cert.pem"} // Apple's roots, without those in the keychains
	}
	return []string{
		"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Arch, Gentoo, NixOS
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL 7 and later
		"/etc/pki/tls/certs/ca-bundle.crt",                  // RHEL 6, and links on its successors
		"/etc/ssl/ca-bundle.pem",                            // openSUSE, SLES
		"/var/lib/ca-certificates/ca-bundle.pem",            // openSUSE, what the former links to
		"/etc/ssl/cert.pem",                                 // Alpine, FreeBSD, OpenBSD
		"/usr/local/share/certs/ca-root-nss.crt",            // FreeBSD before 14
	}
}

// firstRoots returns the first of the files that has a certificate in it.
func firstRoots(paths []string) ([]byte, error) {
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte("-----BEGIN "+pemCertificate+"-----")) {
			return data, nil
		}
	}
	return nil, fmt.Errorf("find the system's roots: no certificates in %s", strings.Join(paths, ", "))
}
