package hosts_test

import (
	"fmt"
	"net/netip"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

func ExampleParse() {
	for _, s := range []string{"API.GitHub.com.:443", "Bücher.example", "0x7f.1:80", "[0:0::1]", "https://x:y@github.com/a"} {
		h, err := hosts.Parse(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(h)
	}
	// Output:
	// api.github.com:443
	// xn--bcher-kva.example
	// 127.0.0.1:80
	// [::1]
	// host: a URL stands where only a host is meant; write "github.com"
}

func ExamplePattern_Match() {
	p, err := hosts.ParsePattern("*.github.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range []hosts.Host{{Name: "api.github.com", Port: 443}, {Name: "api.github.com", Port: 22}, {Name: "github.com", Port: 443}} {
		fmt.Println(h, p.Match(h))
	}
	// Output:
	// api.github.com:443 true
	// api.github.com:22 false
	// github.com:443 false
}

func ExampleParsePattern_mistake() {
	_, err := hosts.ParsePattern("api-*.github.com")
	fmt.Println(err)
	// Output:
	// pattern "api-*.github.com": a star stands only at the start and before a dot; write "*.github.com"
}

func ExampleTable_Lookup() {
	credentials := hosts.Table[string]{
		{Name: "git.example"}:             "the general one",
		{Name: "git.example", Port: 8443}: "the one for the test server",
	}
	h, err := hosts.Parse("Git.Example:8443")
	fmt.Println(err)
	fmt.Println(credentials.Lookup(h))
	fmt.Println(credentials.Lookup(h.WithPort(443)))
	// Output:
	// <nil>
	// the one for the test server true
	// the general one true
}

func ExampleClassify() {
	for _, s := range []string{"140.82.121.4", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe"} {
		fmt.Printf("%s %q\n", s, hosts.Classify(netip.MustParseAddr(s)))
	}
	// Output:
	// 140.82.121.4 ""
	// ::ffff:127.0.0.1 "loopback"
	// 64:ff9b::a9fe:a9fe "metadata"
}
