package cli_test

import (
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/cli"
)

// Whatever the file of Claude Code is, it is read or refused, and not shown.
func FuzzClaudeCode(f *testing.F) {
	f.Add(`{"claudeAiOauth":{"accessToken":"sk-ant-oat01-a","refreshToken":"sk-ant-ort01-b","expiresAt":1893456000000,"scopes":["user:inference"]}}`)
	f.Add(`{"claudeAiOauth":{"accessToken":"sk-ant-oat01-a"}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		access, refresh, err := cli.ParseClaudeCode([]byte(text))
		if (err == nil) != (access != "" && refresh != "") {
			t.Errorf("parseClaudeCode = an access token %v, a refresh token %v, %v", access != "", refresh != "", err)
		}
		if err != nil && strings.Contains(err.Error(), "sk-ant-") {
			t.Errorf("the error shows the file: %v", err)
		}
	})
}
