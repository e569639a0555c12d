package supervisor

import (
	"slices"
	"strings"
	"testing"
)

func TestParseEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name, out string
		want      []string
	}{
		{"nothing", "", nil},
		{"variables", "HOME=/home/a\nEMPTY=\n", []string{"HOME=/home/a", "EMPTY="}},
		{"a value with an equals sign", "A=b=c\n", []string{"A=b=c"}},
		{"a value that was quoted", `A=$'a b\'c\\d'` + "\n", []string{`A=a b'c\d`}},
		{"what is no variable", "warning\n=x\nA=b", []string{"A=b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseEnvironment(tt.out); !slices.Equal(got, tt.want) {
				t.Errorf("parseEnvironment(%q) = %q, want %q", tt.out, got, tt.want)
			}
		})
	}
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add("HOME=/home/a\nA=$'b c'\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, kv := range parseEnvironment(out) {
			if i := strings.IndexByte(kv, '='); i < 1 || strings.Contains(kv, "\n") {
				t.Errorf("parseEnvironment(%q) has %q, which is no variable", out, kv)
			}
		}
	})
}
