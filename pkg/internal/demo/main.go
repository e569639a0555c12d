// Command demo shows the main job of moatd on one machine, with nothing but Go:
// it builds moat and moatd, starts moatd in a temporary home and an HTTPS origin
// beside it, and runs an HTTP client under moat run. It fails if anything that
// it claims does not hold. "make demo" runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// clientArg makes this program the HTTP client that runs under moat run.
const clientArg = "client"

// limit is how long the demo may take, the builds included.
const limit = 5 * time.Minute

func main() {
	if len(os.Args) == 3 && os.Args[1] == clientArg {
		exit(client(os.Args[2]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	exit(show(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: FAILED:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
