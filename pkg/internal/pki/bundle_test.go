package pki

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWriteBundle(t *testing.T) {
	ca, root := mustCreate(t), string(mustCreate(t).CertificatePEM())
	for _, tt := range []struct {
		name, system string
		want         int // certificates
	}{
		{"the system's roots come first", root, 2},
		{"a last line without its end does not swallow ours", strings.TrimRight(root, "\n"), 2},
		{"comments between the roots may stay", "# Some Root\n" + root + "\n\n# Another\n" + root + "\n\n", 3},
		{"without the system's roots there is ours", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bundle.crt")
			if err := WriteBundle(path, []byte(tt.system), ca); err != nil {
				t.Fatal(err)
			}
			got := certificates(t, path)
			if len(got) != tt.want || !got[len(got)-1].Equal(ca.cert) {
				t.Errorf("WriteBundle wrote %d certificates, want %d with ours as the last", len(got), tt.want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("the bundle is %v, %v; want mode 0644", info.Mode(), err)
			}
		})
	}
}

func certificates(t *testing.T, path string) (certs []*x509.Certificate) {
	t.Helper()
	rest, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return certs
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, cert)
	}
}

func TestWriteBundleOnlyWhenItChanged(t *testing.T) {
	ca, path := mustCreate(t), filepath.Join(t.TempDir(), "bundle.crt")
	old := time.Unix(1, 0)
	for _, tt := range []struct {
		name, system string
		ca           *CA
		written      bool
	}{
		{"a file that is not there is written", "system\n", ca, true},
		{"the same roots are not written again", "system\n", ca, false},
		{"blank lines do not count", "system\n\n\n", ca, false},
		{"other roots of the system are written", "more\n", ca, true},
		{"another CA is written", "more\n", mustCreate(t), true},
	} {
		if err := WriteBundle(path, []byte(tt.system), tt.ca); err != nil {
			t.Fatalf("%s: WriteBundle = %v", tt.name, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if written := !info.ModTime().Equal(old); written != tt.written {
			t.Errorf("%s: written %t, want %t", tt.name, written, tt.written)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteBundleLeavesNothingBehindWhenItFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bundle.crt")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteBundle(path, nil, mustCreate(t)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("WriteBundle over a directory = %v, want an error", err)
	}
	if err := writeFile(path, nil, 0o600); err == nil {
		t.Error("writeFile over a directory = nil, want an error")
	}
	if err := WriteBundle(filepath.Join(dir, "absent", "bundle.crt"), nil, mustCreate(t)); err == nil {
		t.Error("WriteBundle in a directory that is not there = nil, want an error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d entries are left (%v), want the directory alone", len(entries), err)
	}
}

func TestFirstRoots(t *testing.T) {
	dir, root := t.TempDir(), string(mustCreate(t).CertificatePEM())
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("empty"), "")
	write(t, path("first"), root)
	write(t, path("second"), root+root)
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"the first one counts", []string{path("first"), path("second")}, root},
		{"one that is not there is passed over", []string{path("absent"), path("second")}, root + root},
		{"an empty one is passed over", []string{path("empty"), path("first")}, root},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := firstRoots(tt.files); err != nil || string(got) != tt.want {
				t.Errorf("firstRoots(%q) = %d bytes, %v; want %d bytes", tt.files, len(got), err, len(tt.want))
			}
		})
	}
	_, err := firstRoots([]string{path("absent"), path("empty")})
	if err == nil || !strings.Contains(err.Error(), path("absent")+", "+path("empty")) {
		t.Errorf("firstRoots of nothing = %v, want an error that names the files", err)
	}
}

func TestRootFiles(t *testing.T) {
	for goos, want := range map[string]string{"darwin": "/etc/ssl/cert.pem", "linux": "/etc/ssl/certs/ca-certificates.crt"} {
		if got := rootFiles(goos); got[0] != want {
			t.Errorf("rootFiles(%q) = %q, want %q first", goos, got, want)
		}
	}
}

func TestSystemRoots(t *testing.T) {
	roots, err := SystemRoots()
	if err != nil {
		t.Skipf("this system has no bundle: %v", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(roots) {
		t.Error("SystemRoots gave no certificate that can be parsed")
	}
}
