package credential_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
)

func TestNothingPrintsASecret(t *testing.T) {
	const text = "s3cret"
	secret := credential.Secret(text)
	key, _, err := credential.LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		value fmt.Formatter
	}{
		{"a secret", secret},
		{"a pointer to one", &secret},
		{"a master key", key},
		{"a pointer to a key", &key},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Not T and p, a type's name and an address, nor w, which go vet refuses
			// for what is no error: there fmt calls no method.
			for _, verb := range "vsqxXdtbcoOUeEfFgG!z" {
				for _, flag := range []string{"", "+", "#", "-20", "020", ".2", " "} {
					format := "%" + flag + string(verb)
					if got := fmt.Sprintf(format, tt.value); got != "[secret]" {
						t.Errorf("Sprintf(%q) = %q, want [secret]", format, got)
					}
				}
			}
		})
	}
	if got := secret.String() + secret.GoString() + key.String() + key.GoString(); got != strings.Repeat("[secret]", 4) {
		t.Errorf("String and GoString = %q, want [secret] each", got)
	}
}

func TestNothingAroundASecretPrintsIt(t *testing.T) {
	c := credential.Credential{Grant: "github", Secret: "s3cret"}
	for _, got := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v", &c), fmt.Sprintf("%#v", c), fmt.Sprintf("%x", []credential.Secret{c.Secret}),
		fmt.Sprint(map[credential.Secret]credential.Secret{c.Secret: c.Secret}),
	} {
		if strings.Contains(got, "s3cret") || strings.Contains(got, fmt.Sprintf("%x", "s3cret")) {
			t.Errorf("printed %s, with the secret", got)
		}
	}
	got, err := json.Marshal(c)
	if err != nil || !strings.Contains(string(got), `"Secret":"[secret]"`) {
		t.Errorf("Marshal(%v) = %s, %v; want [secret] for the secret", c, got, err)
	}
}

// fmt calls no method of an unexported field; a key is behind a pointer for that.
func TestKeyInsideAStructPrintsAnAddress(t *testing.T) {
	key, _, err := credential.LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%x", "%s"} {
		if got := fmt.Sprintf(format, struct{ key credential.Key }{key}); len(got) > 60 { // 32 bytes take 64 at least
			t.Errorf("Sprintf(%s) of a struct with a key = %s, want an address", format, got)
		}
	}
}

func TestSecretEqual(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b credential.Secret
		want bool
	}{
		{"the same text is equal", "abc", "abc", true},
		{"another text is not", "abc", "abd", false},
		{"a prefix is not", "abc", "ab", false},
		{"empty equals empty", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Equal(tt.b); got != tt.want {
				t.Errorf("Equal(%q, %q) = %t, want %t", tt.a.Reveal(), tt.b.Reveal(), got, tt.want)
			}
		})
	}
}
