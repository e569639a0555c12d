package cli_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdOccupy takes the address of the proxy, which the settings name from then on.
func cmdOccupy(ts *testscript.TestScript, _ bool, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv("MOAT_PROXY_ADDR", ln.Addr().String())
	ts.Check(os.Remove(filepath.Join(ts.Getenv("MOAT"), "daemon.lock.db"))) // whose port would go first
}

// cmdMends runs the command that moat doctor names for a check, and makes sure
// that it has mended what the check found.
func cmdMends(ts *testscript.TestScript, _ bool, args []string) {
	before, found := diagnose(ts)[args[0]]
	if !found || before.Fix == "" {
		ts.Fatalf("%s: moat doctor names no command: %+v", args[0], before)
	}
	ts.Check(ts.Exec("sh", "-c", before.Fix))
	if after := diagnose(ts)[args[0]]; after.Status != "ok" {
		ts.Fatalf("%s: after %s it is still %s: %s", args[0], before.Fix, after.Status, after.Detail)
	}
}

type finding struct{ Name, Status, Detail, Fix string }

// diagnose returns what moat doctor finds, by the names of the checks.
func diagnose(ts *testscript.TestScript) map[string]finding {
	_ = ts.Exec("moat", "doctor", "--json") // its exit code is another test's
	var said struct{ Checks []finding }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &said))
	all := make(map[string]finding)
	for _, f := range said.Checks {
		all[f.Name] = f
	}
	return all
}
