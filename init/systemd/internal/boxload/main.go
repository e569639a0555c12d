// Command boxload opens new connections to moatd's sockets at a steady rate, asks
// one question on each, and counts how that ended. It is for the tests with a
// real systemd.
//
// The API is asked for its health; the proxy for a tunnel, in it for TLS, and in
// that for the page of an origin, whose answer has to be the one that is expected.
//
// Each line of its standard input tells what is about to be done to the daemon,
// and is answered by a line when that is noted:
//
//	restart     somebody else begins to
//	kill PID    boxload itself sends SIGKILL, so that it knows the moment
//
// When the input ends it waits for the open connections and prints what came of
// all as JSON: {"api": {"ok": 1, ...}, "proxy": {...}}.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	api := flag.String("api", "", "Unix `socket` of the management API")
	apiRate := flag.Int("api-rate", 20, "questions to the API `per second`")
	rate := flag.Int("rate", 100, "requests through the proxy `per second`, 0 for none")
	var way tunnel
	flag.StringVar(&way.proxy, "proxy", "127.0.0.1:19080", "`address` of the proxy")
	flag.StringVar(&way.origin, "origin", "localhost:8443", "`host:port` of the origin")
	flag.StringVar(&way.token, "token", "", "`token` of the run that asks; without one, the proxy has to ask for it")
	flag.StringVar(&way.want, "want", "hello\n", "the `answer` of the origin")
	ca := flag.String("ca", "", "PEM `file` with the CA of the daemon")
	flag.Parse()
	targets := []target{{"api", time.Second / time.Duration(*apiRate), socket(*api).ask}}
	if way.token != "" {
		if err := way.trust(*ca); err != nil {
			fmt.Fprintln(os.Stderr, "boxload:", err)
			os.Exit(1) //nolint:forbidigo // this is main
		}
	}
	if *rate > 0 {
		targets = append(targets, target{"proxy", time.Second / time.Duration(*rate), way.ask})
	}
	var events history
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		if err := events.follow(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "boxload:", err)
		}
	}()
	if err := json.NewEncoder(os.Stdout).Encode(load(ctx, &events, targets)); err != nil {
		fmt.Fprintln(os.Stderr, "boxload:", err)
	}
}
