package daemon

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// tokenSize is the size of a token before it is written in hex, in bytes.
const tokenSize = 32

// NewToken returns a new proxy token: 32 random bytes in hex.
func NewToken() string {
	var b [tokenSize]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails; it ends the program instead
	return hex.EncodeToString(b[:])
}

// digest is the SHA-256 of a token. Lookups compare digests, so that how long
// one takes says nothing about a token.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }
