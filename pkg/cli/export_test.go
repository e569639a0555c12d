package cli

// ParseClaudeCode is parseClaudeCode, for the fuzz test.
func ParseClaudeCode(data []byte) (access, refresh string, err error) {
	t, _, err := parseClaudeCode(data)
	return t.Access.Reveal(), t.Refresh.Reveal(), err
}
