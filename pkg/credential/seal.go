package credential

import (
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
	keys    keyHolder
	purpose string
}

// NewSealer makes a sealer whose key is made of key for purpose alone. Without a
// key, Seal and Open fail. [KeyChain.Sealer] makes one that goes with the keys
// of a home.
func NewSealer(key Key, purpose string) *Sealer {
	return &Sealer{fixed{current: key}, purpose}
}

// Seal encrypts plain for name, which [Sealer.Open] must be given again. It
// does not keep or change plain.
func (s *Sealer) Seal(name string, plain []byte) ([]byte, error) {
	aead, id, err := s.keys.ring().seal(s.purpose)
	if err != nil {
		return nil, fmt.Errorf("sealer for %s: %w", s.purpose, err)
	}
	head := idSize + aead.NonceSize()
	out := make([]byte, head, head+len(plain)+aead.Overhead())
	copy(out, id)
	_, _ = rand.Read(out[idSize:]) // ends the program if the kernel has none, and never returns an error
	return aead.Seal(out, out[idSize:], plain, []byte(name)), nil
}

// Open returns what was sealed for name, in memory of its own. It returns
// [ErrWrongKey] if the record names another key, else [ErrDamaged]; without the
// key, why it is not there.
func (s *Sealer) Open(name string, sealed []byte) ([]byte, error) {
	const head = idSize + chacha20poly1305.NonceSizeX
	if len(sealed) < head+chacha20poly1305.Overhead {
		return nil, ErrDamaged
	}
	aead, err := s.keys.ring().open(s.purpose, sealed[:idSize])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, sealed[idSize:head], sealed[head:], []byte(name))
	if err != nil {
		return nil, ErrDamaged // err says no more than that
	}
	return plain, nil
}

// current reports whether the current key has sealed the record.
func (s *Sealer) current(sealed []byte) bool {
	key := s.keys.ring().current
	_, id, err := newAEAD(key, s.purpose)
	return err == nil && len(sealed) >= idSize && string(sealed[:idSize]) == string(id)
}
