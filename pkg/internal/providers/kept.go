package providers

// kept returns the provider called name of those whose credentials are stored and
// sent to no host by themselves: something else of a run says where they go. They
// are always there, and [Set.Names] leaves them out.
func kept(name string) (p *Provider, ok bool) {
	switch name {
	case "mcp":
		return &Provider{name: name, description: "MCP servers, each of which names its grant", kept: true}, true
	case "aws":
		return &Provider{name: name, description: "AWS keys, which assume the roles of runs", kept: true, anyText: true}, true
	}
	return nil, false
}

// Kept reports whether the provider sends its credential to no host by itself.
// A grant with a scope is then one of its own: "mcp:linear" is not "mcp".
func (p *Provider) Kept() bool { return p.kept }

// KeptNames returns the names of those providers, sorted.
func KeptNames() []string { return []string{"aws", "mcp"} }
