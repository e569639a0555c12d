package credential_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
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

// fmt calls no methods in unexported fields, and %s even follows pointers there.
func TestNothingThatHoldsSecretsPrintsThem(t *testing.T) {
	t.Chdir(t.TempDir()) // short paths, as a long one in hex looks like a key
	key, _, err := credential.LoadOrCreateKey("key")
	if err != nil {
		t.Fatal(err)
	}
	mem, file := credential.NewMemStore(), openStore(t, "credentials")
	mustPut(t, mem, credential.Credential{Grant: "github", Secret: "s3cret"})
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d", "%z"} {
		checkPrints(t, format, "a key", key)
		checkPrints(t, format, "a sealer", credential.NewSealer(key, "test"))
		checkPrints(t, format, "a store in memory", mem)
		checkPrints(t, format, "a store in files", file)
	}
}

// bytesOfAKey are some in a row, as fmt prints them; addresses are shorter.
var bytesOfAKey = regexp.MustCompile(`(\d+,? ){8}|(0x\w\w?, ){8}|[0-9a-fA-F]{32}`)

// checkPrints prints v by itself, and where fmt calls no methods.
func checkPrints[T any](t *testing.T, format, name string, v T) {
	t.Helper()
	for _, got := range []string{fmt.Sprintf(format, v), fmt.Sprintf(format, struct{ x T }{v})} {
		if strings.Contains(got, "s3cret") || bytesOfAKey.MatchString(got) {
			t.Errorf("Sprintf(%s) of %s = %s", format, name, got)
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
