package credential

import (
	"bytes"
	"context"
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"
)

// A ring is the keys that open what a home has sealed: the current one, which
// also seals, and while everything moves to it the one before.
type ring struct {
	current, previous Key   // the zero Key for one that cannot be had
	err               error // why one of them cannot be had; nil if nothing is missing
}

// A keyHolder has the keys of a store.
type keyHolder interface {
	ring() ring
	// again reads anew which keys there are, and reports whether they changed.
	again(ctx context.Context) bool
	// lock keeps everybody from moving the records to another key until release
	// is called.
	lock(ctx context.Context) (release func(), err error)
	// lockAlone keeps everybody from changing a record until release is called.
	lockAlone(ctx context.Context) (release func(), err error)
}

// fixed are keys that never change.
type fixed ring

func (f fixed) ring() ring { return ring(f) }

func (fixed) again(context.Context) bool { return false }

func (fixed) lock(context.Context) (func(), error) { return func() {}, nil }

func (fixed) lockAlone(context.Context) (func(), error) { return func() {}, nil }

// seal returns the cipher that seals for purpose, and the id of its key.
func (r ring) seal(purpose string) (cipher.AEAD, []byte, error) {
	if r.current.raw == nil && r.err != nil {
		return nil, nil, r.err
	}
	return newAEAD(r.current, purpose)
}

// open returns the cipher of the key that a sealed record names.
func (r ring) open(purpose string, id []byte) (cipher.AEAD, error) {
	for _, key := range []Key{r.current, r.previous} {
		if key.raw == nil {
			continue
		}
		aead, have, err := newAEAD(key, purpose)
		if err != nil || bytes.Equal(have, id) {
			return aead, err
		}
	}
	if r.err != nil {
		return nil, r.err // it may be the one that cannot be had
	}
	if r.current.raw == nil {
		return nil, errNoKey
	}
	return nil, ErrWrongKey
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
