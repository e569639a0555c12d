package oauth_test

import (
	"fmt"

	"github.com/moatd/moatd/pkg/internal/oauth"
)

func ExampleParseChallenges() {
	for _, c := range oauth.ParseChallenges([]string{`Basic realm="x", Bearer resource_metadata="https://mcp.example/m", scope=read`}) {
		fmt.Println(c.Scheme, c.Params)
	}
	// Output:
	// basic map[realm:x]
	// bearer map[resource_metadata:https://mcp.example/m scope:read]
}
