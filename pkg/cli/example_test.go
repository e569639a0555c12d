package cli_test

import (
	"context"
	"fmt"
	"os"

	"github.com/moatd/moatd/pkg/cli"
)

func ExampleMain() {
	code := cli.Main(context.Background(), cli.Process{
		Args:     []string{"revoke"},
		Getenv:   func(string) string { return "" }, // no MOAT_* variable is set
		UserHome: "/home/me",
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stdout, // to show it here
	})
	fmt.Println("exit code", code)
	// Output:
	// moat: an argument is missing; usage: moat revoke GRANT [flags]
	// moat: hint: moat revoke --help tells how to use it
	// exit code 2
}
