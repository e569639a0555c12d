package credential_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/moatd/moatd/pkg/credential"
)

func ExampleOpenFileStore() {
	home, err := os.MkdirTemp("", "moat")
	if err != nil {
		log.Panic(err)
	}
	defer os.RemoveAll(home)
	key, created, err := credential.LoadOrCreateKey(filepath.Join(home, "store.key"))
	if err != nil {
		log.Panic(err)
	}
	store, err := credential.OpenFileStore(filepath.Join(home, "credentials"), key)
	if err != nil {
		log.Panic(err)
	}
	ctx := context.Background()
	if err = store.Put(ctx, &credential.Credential{Grant: "github", Secret: "ghp_x", Source: "prompt"}); err != nil {
		log.Panic(err)
	}
	c, err := store.Get(ctx, "github")
	fmt.Println(created, c.Secret, c.Secret.Reveal(), err)
	_, err = store.Get(ctx, "openai")
	fmt.Println(errors.Is(err, credential.ErrNotFound), err)
	// Output:
	// true [secret] ghp_x <nil>
	// true credential openai: no such credential
}

func ExampleSecret() {
	s := credential.Secret("ghp_x")
	fmt.Printf("%s %q %#v %x\n", s, s, s, s)
	fmt.Println(s.Equal("ghp_x"))
	// Output:
	// [secret] [secret] [secret] [secret]
	// true
}

func ExampleParseGrant() {
	provider, scope, err := credential.ParseGrant("github:org/repo")
	fmt.Println(provider, scope, err)
	// Output: github org/repo <nil>
}
