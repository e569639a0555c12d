package supervisor

import (
	"context"
	"strings"
)

// Environment returns the variables, NAME=value each, that the user's systemd
// gives to the services that it starts.
func (s *systemd) Environment(ctx context.Context) ([]string, error) {
	out, err := s.ctl(ctx, "show-environment")
	if err != nil {
		return nil, err
	}
	return parseEnvironment(out), nil
}

// parseEnvironment reads lines such as NAME=value; a value that a shell would not
// take as it is stands in $'…', where \' and \\ are the only escapes that count
// here. What is no variable is left out.
func parseEnvironment(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || name == "" {
			continue
		}
		if quoted, is := strings.CutPrefix(value, "$'"); is {
			value = strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(strings.TrimSuffix(quoted, "'"))
		}
		all = append(all, name+"="+value)
	}
	return all
}
