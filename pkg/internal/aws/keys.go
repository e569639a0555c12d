package aws

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
)

// Keys are what signs a request to AWS.
type Keys struct {
	AccessKeyID     string            // names the keys; no secret
	SecretAccessKey credential.Secret // never sent
	SessionToken    credential.Secret // "" for keys that do not expire
}

// ParseKeys reads the secret of the grant "aws", which is a JSON object
//
//	{"access_key_id": "AKIA…", "secret_access_key": "…", "session_token": "…"}
//
// or the lines of a profile in ~/.aws/credentials:
//
//	aws_access_key_id = AKIA…
//	aws_secret_access_key = …
//	aws_session_token = …
//
// The session token may be missing in both. Other keys, sections and comments do
// not count. The error shows nothing of the secret.
func ParseKeys(secret credential.Secret) (Keys, error) {
	text := strings.TrimSpace(secret.Reveal())
	var k Keys
	if strings.HasPrefix(text, "{") {
		var doc struct {
			ID      string `json:"access_key_id"`
			Secret  string `json:"secret_access_key"`
			Session string `json:"session_token"`
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			return k, errors.New("the grant aws begins like JSON and is none with strings")
		}
		k = Keys{doc.ID, credential.Secret(doc.Secret), credential.Secret(doc.Session)}
	} else {
		k = profileKeys(text)
	}
	if k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return Keys{}, errors.New(`the grant aws holds no keys: store {"access_key_id":"…","secret_access_key":"…"} or the lines of an AWS profile`)
	}
	for _, part := range []string{k.AccessKeyID, k.SecretAccessKey.Reveal(), k.SessionToken.Reveal()} {
		if strings.ContainsFunc(part, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return Keys{}, errors.New("the grant aws holds keys with a character that no key has")
		}
	}
	return k, nil
}

// profileKeys reads the lines of a profile.
func profileKeys(text string) (k Keys) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "aws_access_key_id":
			k.AccessKeyID = value
		case "aws_secret_access_key":
			k.SecretAccessKey = credential.Secret(value)
		case "aws_session_token":
			k.SessionToken = credential.Secret(value)
		}
	}
	return k
}
