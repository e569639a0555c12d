package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// askJava asks for args[0] as a program does that knows its user and password
// of the proxy, and prints the answer.
const askJava = `
import java.net.*;
public class Ask {
	public static void main(String[] args) throws Exception {
		String[] user = new URI(System.getenv("HTTPS_PROXY")).getUserInfo().split(":");
		Authenticator.setDefault(new Authenticator() {
			protected PasswordAuthentication getPasswordAuthentication() {
				return new PasswordAuthentication(user[0], user[1].toCharArray());
			}
		});
		System.out.println(new String(new URL(args[0]).openStream().readAllBytes()));
	}
}
`

func TestJavaTrustsAndTunnels(t *testing.T) {
	if out, err := exec.Command("java", "-version").CombinedOutput(); err != nil {
		t.Skipf("there is no java here: %v %s", err, out)
	}
	o := startOrigin(t, nil)
	p := newPlace(t, o)
	source := filepath.Join(t.TempDir(), "Ask.java")
	writeFile(t, source, askJava)
	cmd := p.command(t, "run", "--grant", "demo", "--allow", o.secure, "--", "java", source, "https://"+o.secure+"/a")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if want := `"path":"/a","auth":true`; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("java printed %q, %v; want %s\n%s", out, err, want, &stderr)
	}
	if strings.Contains(stderr.String(), "Password") {
		t.Errorf("java printed %q, which says the token", &stderr)
	}
}

func TestKeytoolReadsTheTrustStore(t *testing.T) {
	if _, err := exec.LookPath("keytool"); err != nil {
		t.Skip("there is no keytool here")
	}
	p := newPlace(t, startOrigin(t, nil))
	if out, err := p.command(t, "run", "--", "true").CombinedOutput(); err != nil {
		t.Fatalf("moat run -- true: %v\n%s", err, out)
	}
	bundle, err := os.ReadFile(filepath.Join(p.home, "ca", "bundle.crt"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("keytool", "-J-Duser.language=en", "-list", "-storepass", "changeit",
		"-keystore", filepath.Join(p.home, "run", "roots.jks")).CombinedOutput()
	if want, got := strings.Count(string(bundle), "BEGIN CERTIFICATE"), strings.Count(string(out), "trustedCertEntry"); err != nil || got != want || got == 0 {
		t.Errorf("keytool lists %d certificates (%v), want the %d of the bundle\n%s", got, err, want, out)
	}
}
