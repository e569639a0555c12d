//go:build e2e

package systemd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	initfiles "github.com/moatd/moatd/init"
)

// secret is the credential that must arrive at the origin and nowhere else. Its
// characters look different in a URL, in JSON and in a shell.
const secret = "s3cret/of+the&box=<42>~"

// Where things are in the machine.
const (
	socketPath = "/run/user/1000/moat/moatd.sock"
	originCert = "/etc/boxorigin/cert.pem"
	unitDir    = "/usr/lib/systemd/user/"
)

const originUnit = `[Service]
ExecStart=/usr/local/bin/boxorigin -cert /etc/boxorigin/cert.pem -key /etc/boxorigin/key.pem
[Install]
WantedBy=multi-user.target
`

const provider = `name: demo
description: the origin of the test
inject:
  - hosts: ["localhost:8443"]
    header: Authorization
    prefix: "Bearer "
env: {DEMO_TOKEN: placeholder}
`

// install puts into m what a package would, an origin, and a grant, and enables
// the service. Each test below finds m like that, or as the one before left it.
func (m machine) install(t *testing.T) {
	t.Helper()
	bin := build(t)
	for from, to := range map[string]string{
		"moat": "/usr/bin/moat", "moatd": "/usr/bin/moatd",
		"boxorigin": "/usr/local/bin/boxorigin", "boxload": "/usr/local/bin/boxload", "stuck": "/usr/local/bin/stuck",
	} {
		m.push(t, filepath.Join(bin, from), to)
	}
	for _, name := range initfiles.UnitNames() {
		text, err := initfiles.Unit(name, "/usr/bin/moatd")
		if err != nil {
			t.Fatal(err)
		}
		m.push(t, save(t, []byte(text)), unitDir+name)
	}
	m.installOrigin(t)
	m.asUser(t, "mkdir", "-m", "0700", "/home/moat/.moat")
	m.write(t, "/home/moat/.moat/config.yaml", "upstream_ca: "+originCert+"\n")
	m.write(t, "/home/moat/.moat/providers/demo.yaml", provider)
	m.pipeAsUser(t, secret, "moat", "grant", "demo")
	m.systemctl(t, "daemon-reload")
	m.systemctl(t, "--quiet", "enable", "moatd.service")
	m.systemctl(t, "start", "moatd.socket", "moatd-proxy.socket")
}

// installOrigin starts boxorigin, which is in place, with a certificate.
func (m machine) installOrigin(t *testing.T) {
	t.Helper()
	cert, key := certificate(t)
	m.push(t, save(t, cert), originCert)
	m.push(t, save(t, key), "/etc/boxorigin/key.pem")
	m.push(t, save(t, []byte(originUnit)), "/etc/systemd/system/boxorigin.service")
	m.asRoot(t, "systemctl", "--quiet", "enable", "--now", "boxorigin.service")
}

// build compiles what runs in the machine, static, and returns the directory.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir,
		"../../cmd/moat", "../../cmd/moatd", "./internal/boxload", "./internal/boxorigin", "./internal/boxprobe", "../../pkg/internal/stuck")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// build386 compiles the probe for the processor's older half.
func build386(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "386")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", exe, "./internal/boxprobe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=386")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

func save(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// certificate makes one for localhost that is its own root, and its key, as PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "boxorigin"},
		DNSNames:              []string{"localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
