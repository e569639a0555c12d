package routing_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/moatd/moatd/pkg/routing"
)

func ExampleRouteTable() {
	dir, err := os.MkdirTemp("", "routes")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	table, err := routing.NewRouteTable(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := table.Add("myapp", map[string]string{"web": "127.0.0.1:49153", "db": "127.0.0.1:49154"}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table.Agents())
	fmt.Println(table.Lookup("myapp", "db"))
	fmt.Println(table.LookupDefault("myapp")) // web, by the rule in the package's comment
	fmt.Println(table.Add("my.app", map[string]string{"web": "127.0.0.1:1"}))
	// Output:
	// [myapp]
	// 127.0.0.1:49154 true
	// 127.0.0.1:49153 true
	// bad route: agent "my.app" has '.' in it; a label of a host name has letters, digits, - and _
}

func ExampleRouter() {
	dir, err := os.MkdirTemp("", "routes")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	table, err := routing.NewRouteTable(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	router, err := routing.New(routing.Options{Table: table})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, host := range []string{"web.myapp.localhost:8080", "evil.example"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		answer := httptest.NewRecorder()
		router.ServeHTTP(answer, r)
		fmt.Println(answer.Code, answer.Header().Get("X-Moat-Error"))
	}
	// Output:
	// 404 unknown_agent
	// 421 foreign_host
}
