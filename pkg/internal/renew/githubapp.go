package renew

import (
	"cmp"
	"context"
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
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

const (
	gitHubAPI = "https://api.github.com"
	// appSkew is how far back a JWT begins, for clocks that differ, and appLife how
	// long it counts; GitHub takes 10 minutes at most.
	appSkew   = time.Minute
	appLife   = 5 * time.Minute
	maxAnswer = 1 << 20 // bytes
)

// gitHubApp asks for the next token of an installation.
func (r *Renewer) gitHubApp(ctx context.Context, c *credential.Credential) error {
	how := c.Renewal
	jwt, err := appJWT(how, time.Now())
	if err != nil {
		return final("the app's key: %v", err)
	}
	if how.InstallationID == "" || strings.ContainsFunc(how.InstallationID, notDigit) {
		return final("the id of its installation is no number")
	}
	base := cmp.Or(r.GitHub, gitHubAPI)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/app/installations/"+how.InstallationID+"/access_tokens", nil)
	if err != nil {
		return final("the URL of its installation cannot be made")
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", "moat")
	client := r.client()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return failed("%s: %s", req.URL.Host, reason(err))
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return failed("%s: the answer breaks off", req.URL.Host)
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusNotFound:
		return final("%s answers %d: the app, its key or its installation is not there", req.URL.Host, res.StatusCode)
	case res.StatusCode != http.StatusCreated:
		return failed("%s answers %d %s", req.URL.Host, res.StatusCode, http.StatusText(res.StatusCode))
	}
	if c.Secret, c.ExpiresAt, err = readInstallation(data); err != nil {
		return failed("%s: %v", req.URL.Host, err)
	}
	return nil
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// readInstallation reads GitHub's answer; its errors show nothing of it.
func readInstallation(data []byte) (credential.Secret, time.Time, error) {
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if json.Unmarshal(data, &answer) != nil || answer.Token == "" || answer.ExpiresAt.IsZero() {
		return "", time.Time{}, errors.New("the answer has no token with an end")
	}
	return credential.Secret(answer.Token), answer.ExpiresAt, nil
}

// appJWT returns what an app shows to be itself at now: RS256 of RFC 7518.
func appJWT(how *credential.Renewal, now time.Time) (string, error) {
	key, err := parseKey(how.PrivateKey)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(struct {
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Issuer   string `json:"iss"`
	}{now.Add(-appSkew).Unix(), now.Add(appLife).Unix(), how.AppID})
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + b64.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", errors.New("it does not sign")
	}
	return text + "." + b64.EncodeToString(sig), nil
}

// parseKey reads an RSA key in PEM, in the form of GitHub (PKCS #1) or PKCS #8.
// Its errors show nothing of it.
func parseKey(text credential.Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("it is not in PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it is no key of RSA")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not a key of RSA", parsed)
	}
	return key, nil
}
