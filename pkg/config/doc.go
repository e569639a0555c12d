// Package config holds the values that a user writes: the settings of the
// daemon, from flags, environment and config.yaml, parsed and checked once, and
// the description of an MCP server. Nothing here reads the environment or
// decides anything; a value of this package is valid.
package config
