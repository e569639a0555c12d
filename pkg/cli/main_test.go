package cli_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/moatd/moatd/pkg/cli"
	"github.com/moatd/moatd/pkg/moatd"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // or each of some hundred programs sleeps for a second
	}
	testscript.Main(m, map[string]func(){
		"moat":     moatMain,
		"moatd":    moatdMain,
		"fetch":    fetchMain,
		"sigcount": sigcountMain,
		"code":     codeMain,
	})
}

func moatMain() {
	os.Exit(cli.Main(context.Background(), cli.Process{
		Args:     os.Args[1:],
		Getenv:   os.Getenv,
		Environ:  os.Environ(),
		UserHome: os.Getenv("HOME"),
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Version:  cmp.Or(os.Getenv("TEST_VERSION"), "v0.0.0-test"),
		Root:     os.Getenv("TEST_ROOT"),
	}))
}

func moatdMain() {
	os.Exit(moatd.Main(moatd.Process{
		Args:     os.Args[1:],
		Getenv:   os.Getenv,
		UserHome: os.Getenv("HOME"),
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Version:  "v0.0.0-test",
	}))
}

// fetchMain is an agent: fetch URL prints status and body of what comes back,
// and fails for a status of 400 and above. It uses the proxy for every host, as
// curl does and Go's own client does not.
func fetchMain() {
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil {
		fail(err)
	}
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		fail(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	req, err := http.NewRequest(http.MethodGet, os.Args[1], nil)
	if err != nil {
		fail(err)
	}
	req.Header.Set("Authorization", "Bearer placeholder")
	res, err := client.Do(req)
	if err != nil {
		fail(err)
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	if _, err := io.Copy(os.Stdout, res.Body); err != nil {
		fail(err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "fetch:", err)
	os.Exit(1)
}

// codeMain runs its arguments and prints with which exit code they ended.
func codeMain() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fail(err)
	}
	fmt.Println(cmd.ProcessState.ExitCode())
}

// sigcountMain says "ready", counts signals, and at SIGTERM prints how many of
// each came before and ends.
func sigcountMain() {
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM)
	fmt.Println("ready")
	var seen []string
	for sig := range signals {
		if sig == syscall.SIGTERM {
			fmt.Println("saw", strings.Join(seen, ","))
			return
		}
		seen = append(seen, sig.String())
		fmt.Println("got", sig)
	}
}
