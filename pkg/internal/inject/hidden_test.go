package inject

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/replace"
)

func TestHidden(t *testing.T) {
	const secret = "s3cr3t/to+ken \"01"
	substitute := &Rules{Substitute: []Substitution{{Placeholder: "moat-stub", Secret: secret}}}
	credential := func(value string) *Rules { return &Rules{Credentials: []Header{{Name: "X", Value: value}}} }
	basic := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, tt := range []struct {
		name  string
		rules *Rules
		text  string
		want  string
	}{
		{"a substitution becomes its placeholder", substitute, "a " + secret + " b", "a moat-stub b"},
		{"as JSON", substitute, `{"k":"s3cr3t/to+ken \"01"}`, `{"k":"moat-stub"}`},
		{"in a query", substitute, "?k=" + url.QueryEscape(secret), "?k=moat-stub"},
		{"in a path", substitute, "/" + url.PathEscape(secret) + "/", "/moat-stub/"},
		{"in hex", substitute, hex.EncodeToString([]byte(secret)), hex.EncodeToString([]byte("moat-stub"))},
		{"in upper hex", substitute, strings.ToUpper(hex.EncodeToString([]byte(secret))), strings.ToUpper(hex.EncodeToString([]byte("moat-stub")))},
		{"a raw credential", credential("abcd1234"), "key abcd1234", "key moat-redacted"},
		{"after Bearer", credential("Bearer abcd1234"), "Authorization: Bearer abcd1234; abcd1234", "Authorization: Bearer moat-redacted; moat-redacted"},
		{"after token", credential("token abcd1234"), "abcd1234", "moat-redacted"},
		{"the password of Basic", credential("Basic " + basic("x:abcd1234")), "x abcd1234", "x moat-redacted"},
		{"Basic itself", credential("Basic " + basic("x:abcd1234")), "Basic " + basic("x:abcd1234") + ".", "Basic " + basic("x:moat-redacted") + "."},
		{"the user of Basic, where the password is empty", credential("Basic " + basic("abcd1234:")), "abcd1234", "moat-redacted"},
		{"the user of Basic, where the password says OAuth", credential("Basic " + basic("abcd1234:x-oauth-basic")), "abcd1234 x-oauth-basic", "moat-redacted x-oauth-basic"},
		{"Basic that is none", credential("Basic abcd1234!"), "abcd1234!", "moat-redacted"},
		{"a secret that is too short is not looked for", credential("abc"), "abc", "abc"},
		{"a placeholder that is the secret", &Rules{Substitute: []Substitution{{"same", "same", ""}}}, "same", "same"},
		{
			"a secret with a placeholder that is injected too becomes its placeholder",
			&Rules{Substitute: []Substitution{{"moat-stub", "abcd1234", ""}}, Credentials: credential("Bearer abcd1234").Credentials},
			"abcd1234", "moat-stub",
		},
		{"no rules have no secrets", &Rules{}, "abcd1234", "abcd1234"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := replace.NewScrubber(tt.rules.hidden(), window).String(tt.text)
			if got != tt.want {
				t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

// TestSecretInBase64 has the secret begin and end at each place of a group.
func TestSecretInBase64(t *testing.T) {
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for n := 16; n < 20; n++ {
			secret := string(random(rand.New(rand.NewPCG(uint64(n), 1)), n)) + "\xff\xfe" // gives + and /, or - and _
			rules := &Rules{Substitute: []Substitution{{Placeholder: "moat-stub", Secret: secret}}}
			s := replace.NewScrubber(rules.hidden(), window)
			for before := range 6 {
				for after := range 4 {
					text := strings.Repeat("x", before) + secret + strings.Repeat("y", after)
					got, err := enc.DecodeString(s.String(enc.EncodeToString([]byte(text))))
					if err != nil || len(got) != len(text) {
						t.Fatalf("%d bytes around: not base64 any more: %v", before+after, err)
					}
					if part := seen(got, []byte(secret)); part != "" {
						t.Errorf("%d before, %d after: %q is left", before, after, part)
					}
				}
			}
		}
	}
}
