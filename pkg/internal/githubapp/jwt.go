package githubapp

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// GitHub takes a JWT for 10 minutes at most, and none from the future: it begins
// a minute ago, for clocks that differ.
const (
	before = time.Minute
	goodTo = 9 * time.Minute
)

// ParseKey reads the private key of an app, PEM as GitHub hands it out (PKCS #1)
// or as PKCS #8. The error does not show it.
func ParseKey(text credential.Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("the private key is no PEM; it is the .pem file that GitHub offers once, when the key is made")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the PEM has a %q and no private key that can be read", block.Type)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not RSA, which GitHub Apps have")
	}
	return key, nil
}

// JWT returns what the app shows to GitHub at the time now: a text that key,
// which is PEM, has signed (RS256), good for nine minutes. app is its id, or its
// client id.
func JWT(app string, key credential.Secret, now time.Time) (string, error) {
	if !appID(app) {
		return "", fmt.Errorf("app id %q is neither a number nor a client id", app)
	}
	private, err := ParseKey(key)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"iss": app, "iat": now.Add(-before).Unix(), "exp": now.Add(goodTo).Unix()})
	if err != nil {
		return "", err
	}
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return text + "." + encode(signature), nil
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

const maxID = 40 // bytes

const digits = "0123456789"

// appID reports whether text is an app's id, or its client id: Iv23li and so on.
func appID(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ."
	return text != "" && len(text) <= maxID && strings.Trim(text, digits+letters) == ""
}

func number(text string) bool {
	return text != "" && len(text) <= maxID && strings.Trim(text, digits) == ""
}
