package config

// MCPServerConfig describes a server of the Model Context Protocol that a run
// may reach through the daemon. It travels as JSON under its Go field names.
type MCPServerConfig struct {
	Name string         // how the run addresses the server, unique in the run
	URL  string         // absolute https URL of the server
	Auth *MCPAuthConfig `json:",omitempty"` // nil means that the server asks for none
}

// MCPAuthConfig says which credential goes into which header.
type MCPAuthConfig struct {
	Grant  string // name of the grant, such as "mcp:linear"
	Header string // name of the header that carries the credential; "" means Authorization
}
