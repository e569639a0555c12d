package aws

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
)

func TestParseKeys(t *testing.T) {
	for _, tt := range []struct {
		name, secret string
		want         Keys
		err          string // part of it
	}{
		{"JSON", `{"access_key_id":"AKIA1","secret_access_key":"s3/c+r=t"}`, Keys{"AKIA1", "s3/c+r=t", ""}, ""},
		{"JSON with a session token and more", ` {"access_key_id":"A","secret_access_key":"s","session_token":"t","x":1}`, Keys{"A", "s", "t"}, ""},
		{"two lines of a profile", "aws_access_key_id = AKIA1\naws_secret_access_key=s3/c+r=t\n", Keys{"AKIA1", "s3/c+r=t", ""}, ""},
		{
			"a whole profile, as Windows writes it",
			"[default]\r\n# mine\r\nAWS_Access_Key_Id=A\r\naws_secret_access_key = s\r\naws_session_token = t\r\nregion = x\r\n",
			Keys{"A", "s", "t"},
			"",
		},
		{"nothing", "", Keys{}, "holds no keys"},
		{"a bare key", "AKIA1", Keys{}, "holds no keys"},
		{"no secret", `{"access_key_id":"AKIA1"}`, Keys{}, "holds no keys"},
		{"no id", "aws_secret_access_key = hidden1", Keys{}, "holds no keys"},
		{"JSON that breaks off", `{"access_key_id":"hidden1"`, Keys{}, "none with strings"},
		{"JSON of numbers", `{"access_key_id":1}`, Keys{}, "none with strings"},
		{"a key with a space", `{"access_key_id":"A","secret_access_key":"hidden1 hidden2"}`, Keys{}, "a character that no key has"},
		{"a key with a line in it", `{"access_key_id":"A","secret_access_key":"hidden1\nb"}`, Keys{}, "a character that no key has"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseKeys(credential.Secret(tt.secret))
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("ParseKeys = %v, %v; want %v, %q in the error", got, err, tt.want, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error %q has the secret", err)
			}
		})
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(`{"access_key_id":"A","secret_access_key":"s","session_token":"t"}`)
	f.Add("aws_access_key_id = A\naws_secret_access_key = s")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeys(credential.Secret(text))
		if err != nil {
			if k != (Keys{}) {
				t.Errorf("ParseKeys(%q) = %v beside %v", text, k, err)
			}
			return
		}
		lines := fmt.Sprintf("aws_access_key_id=%s\naws_secret_access_key=%s\naws_session_token=%s",
			k.AccessKeyID, k.SecretAccessKey.Reveal(), k.SessionToken.Reveal())
		if again, err := ParseKeys(credential.Secret(lines)); err != nil || again != k {
			t.Errorf("ParseKeys(%q) = %v, %v; want what made the lines", lines, again, err)
		}
	})
}

func ExampleParseKeys() {
	k, err := ParseKeys("aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = not shown")
	fmt.Println(k, err)
	k, err = ParseKeys(`{"access_key_id":"AKIAEXAMPLE","secret_access_key":"not-shown"}`)
	fmt.Println(k.AccessKeyID, k.SecretAccessKey, err)
	// Output:
	// { [secret] [secret]} the grant aws holds keys with a character that no key has
	// AKIAEXAMPLE [secret] <nil>
}
