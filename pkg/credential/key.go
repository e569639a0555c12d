package credential

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// keySize is the length of a master key and of the keys made from it, in bytes.
const keySize = 32

// Key is the master key, from which one key for each purpose is made. It does
// not print. The zero value is no key, and everything refuses it.
type Key struct {
	raw    *[keySize]byte // a pointer, so that fmt prints an address where it calls no methods
	source string
}

// newKey makes a key out of the kernel's randomness.
func newKey(source string) Key {
	k := Key{raw: new([keySize]byte), source: source}
	_, _ = rand.Read(k.raw[:]) // ends the program if the kernel has none, and never returns an error
	return k
}

// Source names where the key is kept: "file", or "memory".
func (k Key) Source() string { return k.source }

// String returns "[secret]".
func (Key) String() string { return hidden }

// GoString returns "[secret]".
func (Key) GoString() string { return hidden }

// Format writes "[secret]" for every verb.
func (Key) Format(w fmt.State, _ rune) { printHidden(w) }

// MarshalText returns "[secret]".
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// derive makes a key for one use, of n bytes, by HKDF-SHA256 (RFC 5869).
func (k Key) derive(use string, n int) ([]byte, error) {
	if k.raw == nil {
		return nil, errors.New("no master key")
	}
	return hkdf.Key(sha256.New, k.raw[:], nil, "moat/"+use, n)
}

// fingerprinter makes fingerprints under a key of its own; see [Credential.Fingerprint].
type fingerprinter struct{ key []byte }

func newFingerprinter(k Key) (fingerprinter, error) {
	key, err := k.derive("fingerprint", keySize)
	return fingerprinter{key}, err
}

func (f fingerprinter) of(s Secret) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(s))
	return hex.EncodeToString(mac.Sum(nil)[:4])
}
