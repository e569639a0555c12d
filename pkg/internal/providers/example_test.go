package providers_test

import (
	"fmt"

	"github.com/moatd/moatd/pkg/internal/providers"
)

func ExampleParse() {
	p, err := providers.Parse("gitlab.yaml", []byte(`
name: gitlab
inject:
  - hosts: [GitLab.com]
    header: PRIVATE-TOKEN
env: {GITLAB_TOKEN: glpat-placeholder}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name(), p.Hosts(), p.Env())
	fmt.Println(p.Check("glpat-1\r\nHost: evil"))
	// Output:
	// gitlab [gitlab.com] map[GITLAB_TOKEN:glpat-placeholder]
	// the secret holds a character that no header may hold, at position 8
}

func ExampleParse_mistakes() {
	_, err := providers.Parse("gitlab.yaml", []byte("name: gitlab\ninject:\n  - prefiks: x\n    hosts:\n"))
	fmt.Println(err)
	// Output:
	// gitlab.yaml:3: inject[0].prefiks: unknown field; the known ones are hosts, paths, header, prefix, basic_user
	// gitlab.yaml:4: inject[0].hosts: must be a list of hosts
}
