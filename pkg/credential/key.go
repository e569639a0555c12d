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
	// raw is a closure, here and for all that is secret in this package: where
	// fmt calls no methods, in unexported fields, it follows pointers, but not
	// into a function.
	raw    func() [keySize]byte
	source string
}

func makeKey(raw [keySize]byte, source string) Key {
	return Key{raw: func() [keySize]byte { return raw }, source: source}
}

// newKey makes a key out of the kernel's randomness.
func newKey(source string) Key {
	var raw [keySize]byte
	_, _ = rand.Read(raw[:]) // ends the program if the kernel has none, and never returns an error
	return makeKey(raw, source)
}

// Source names where the key is kept, as a [KeySource] does, or "memory".
func (k Key) Source() string { return k.source }

// String returns "[secret]".
func (Key) String() string { return hidden }

// GoString returns "[secret]".
func (Key) GoString() string { return hidden }

// Format writes "[secret]" for every verb but %T, %p and %w, which show no key either.
func (Key) Format(w fmt.State, _ rune) { printHidden(w) }

// MarshalText returns "[secret]".
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

var errNoKey = errors.New("no master key")

// ID names the key, in 16 hex digits, and tells nothing of it; "" for no key.
func (k Key) ID() string {
	id, err := k.derive("key-id", 8)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(id)
}

// derive makes a key for one use, of n bytes, by HKDF-SHA256 (RFC 5869).
func (k Key) derive(use string, n int) ([]byte, error) {
	if k.raw == nil {
		return nil, errNoKey
	}
	raw := k.raw()
	return hkdf.Key(sha256.New, raw[:], nil, "moat/"+use, n)
}

// fingerprinter makes fingerprints under a key of its own; see [Credential.Fingerprint].
type fingerprinter func(Secret) string

func newFingerprinter(k Key) (fingerprinter, error) {
	key, err := k.derive("fingerprint", keySize)
	if err != nil {
		return nil, err
	}
	return func(s Secret) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(s))
		return hex.EncodeToString(mac.Sum(nil)[:4])
	}, nil
}
