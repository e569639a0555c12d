// Command boxload opens new connections to moatd's sockets at a steady rate, asks
// one question on each, and counts how that ended. It is for the tests with a
// real systemd. When its standard input ends it waits for the open connections
// and prints the counts as JSON: {"api": {"ok": 1, ...}, "proxy": {...}}.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

func main() {
	api := flag.String("api", "", "Unix `socket` of the management API")
	proxy := flag.String("proxy", "127.0.0.1:19080", "`address` of the proxy")
	rate := flag.Int("rate", 200, "connections per second, to each of the two")
	flag.Parse()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end, too
	}()

	targets := map[string]target{
		"api":   {"unix", *api, "GET /v1/health HTTP/1.1\r\nHost: moatd\r\nConnection: close\r\n\r\n"},
		"proxy": {"tcp", *proxy, "CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n"}, // answered 407
	}
	if err := json.NewEncoder(os.Stdout).Encode(load(ctx, targets, time.Second/time.Duration(*rate))); err != nil {
		fmt.Fprintln(os.Stderr, "boxload:", err)
	}
}

// load asks each target once per interval until ctx ends, and returns what came
// of it once the last answer is in.
func load(ctx context.Context, targets map[string]target, interval time.Duration) map[string]counts {
	tallies := map[string]*tally{}
	for name := range targets {
		tallies[name] = newTally()
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var open sync.WaitGroup
	asking := context.WithoutCancel(ctx) // who asked gets the answer
	for ctx.Err() == nil {
		for name, t := range targets {
			open.Go(func() { tallies[name].add(t.ask(asking)) })
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	open.Wait()
	result := map[string]counts{}
	for name, t := range tallies {
		result[name] = t.counts
	}
	return result
}
