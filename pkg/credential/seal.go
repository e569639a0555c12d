package credential

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// idSize is how many bytes of a sealed record say which key it needs.
const idSize = 8

// Sealer encrypts records for one purpose and proves, on opening, that they are
// whole and stand under the name they were sealed for. Safe for concurrent use.
//
// A sealed record is the key's id (8 bytes), a random nonce (24) and the output
// of XChaCha20-Poly1305, which is 16 bytes longer than the input. A nonce of
// 192 bits may be drawn at random for any number of records.
type Sealer struct {
	aead func() cipher.AEAD // see Key.raw
	id   []byte
	err  error // why there is no aead
}

// NewSealer makes a sealer whose key is made of key for purpose alone. Without a
// key, Seal and Open fail.
func NewSealer(key Key, purpose string) *Sealer {
	aead, id, err := newAEAD(key, purpose)
	if err != nil {
		err = fmt.Errorf("sealer for %s: %w", purpose, err)
	}
	return &Sealer{aead: func() cipher.AEAD { return aead }, id: id, err: err}
}

func newAEAD(key Key, purpose string) (cipher.AEAD, []byte, error) {
	sub, err := key.derive("seal/"+purpose, keySize)
	if err != nil {
		return nil, nil, err
	}
	id, err := key.derive("seal-id/"+purpose, idSize)
	if err != nil {
		return nil, nil, err
	}
	aead, err := chacha20poly1305.NewX(sub)
	return aead, id, err
}

// Seal encrypts plain for name, which [Sealer.Open] must be given again. It
// does not keep or change plain.
func (s *Sealer) Seal(name string, plain []byte) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	aead := s.aead()
	head := idSize + aead.NonceSize()
	out := make([]byte, head, head+len(plain)+aead.Overhead())
	copy(out, s.id)
	_, _ = rand.Read(out[idSize:]) // ends the program if the kernel has none, and never returns an error
	return aead.Seal(out, out[idSize:], plain, []byte(name)), nil
}

// Open returns what was sealed for name, in memory of its own. It returns
// [ErrWrongKey] if the record names another key, else [ErrDamaged].
func (s *Sealer) Open(name string, sealed []byte) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	aead := s.aead()
	head := idSize + aead.NonceSize()
	if len(sealed) < head+aead.Overhead() {
		return nil, ErrDamaged
	}
	if !bytes.Equal(sealed[:idSize], s.id) {
		return nil, ErrWrongKey
	}
	plain, err := aead.Open(nil, sealed[idSize:head], sealed[head:], []byte(name))
	if err != nil {
		return nil, ErrDamaged // err says no more than that
	}
	return plain, nil
}
