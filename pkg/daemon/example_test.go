package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moatd/moatd/pkg/daemon"
)

// tempDir returns a directory and what removes it.
func tempDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		panic(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

func ExampleRegistry() {
	registry := daemon.NewRegistry()
	run := daemon.NewRunContext("run_7f3a")
	run.SetCredentialHeader("api.example.com", "X-Api-Key", "secret")
	token := registry.Register(run)

	found, ok := registry.Lookup(token)
	fmt.Println(found, ok, len(token))
	cred, _ := found.GetCredential("API.example.com:443")
	fmt.Println(cred)
	registry.Unregister(token)
	fmt.Println(registry.Count())
	// Output:
	// run run_7f3a true 64
	// X-Api-Key: [secret]
	// 0
}

func ExampleRunPersister() {
	dir, remove := tempDir()
	defer remove()
	path := filepath.Join(dir, "runs.db")

	before := daemon.NewRegistry()
	token := before.Register(daemon.NewRunContext("run_7f3a"))
	if err := daemon.NewRunPersister(path, before).Save(); err != nil {
		fmt.Println(err)
	}

	after := daemon.NewRegistry() // of the next daemon
	runs, err := daemon.NewRunPersister(path, after).Load()
	fmt.Println(daemon.RestoreRuns(context.Background(), after, runs), err)
	_, ok := after.Lookup(token)
	fmt.Println(ok)
	// Output:
	// 1 <nil>
	// true
}

func ExampleServer() {
	dir, remove := tempDir()
	defer remove()
	server := daemon.NewServer(filepath.Join(dir, "moatd.sock"), 19080)
	server.SetOnUnregister(func(runID string) { fmt.Println("gone:", runID) })
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	token := server.Registry().Register(daemon.NewRunContext("run_7f3a"))
	client := daemon.NewClient(filepath.Join(dir, "moatd.sock"))
	fmt.Println(client.UnregisterRun(context.Background(), token))
	fmt.Println(server.Stop(context.Background()))
	// Output:
	// gone: run_7f3a
	// <nil>
	// <nil>
}

func ExampleClient() {
	dir, remove := tempDir()
	defer remove()
	server := daemon.NewServer(filepath.Join(dir, "moatd.sock"), 19080)
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Stop(context.Background())

	ctx := context.Background()
	client := daemon.NewClient(filepath.Join(dir, "moatd.sock"))
	answer, err := client.RegisterRun(ctx, daemon.RegisterRequest{
		RunID:       "run_7f3a",
		Credentials: []daemon.CredentialSpec{{Host: "api.example.com", Header: "X-Api-Key", Value: "secret"}},
	})
	fmt.Println(answer, err)
	runs, err := client.ListRuns(ctx)
	fmt.Println(runs[0].RunID, runs[0].State, err)
	err = client.UpdateRun(ctx, "another token", "container")
	fmt.Println(errors.Is(err, daemon.ErrRunNotFound))
	// Output:
	// registered, proxy port 19080, token [secret] <nil>
	// run_7f3a ready <nil>
	// true
}
