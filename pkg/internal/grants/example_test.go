package grants_test

import (
	"context"
	"fmt"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/grants"
)

func ExampleResolver_Configure() {
	ctx, store := context.Background(), credential.NewMemStore()
	r, err := grants.New(grants.Options{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Configure(ctx, "openai", new(recorder)))

	if err := store.Put(ctx, &credential.Credential{Grant: "openai", Secret: "sk-x"}); err != nil {
		fmt.Println(err)
	}
	var run recorder
	fmt.Println(r.Configure(ctx, "openai", &run), run.calls)
	// Output:
	// grant openai: no credential; run `moat grant openai`
	// <nil> [set api.openai.com Authorization: Bearer sk-x (openai)]
}
